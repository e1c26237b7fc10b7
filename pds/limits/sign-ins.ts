/**
 * Limits sign-in attempts, across all ways to sign in. An account is counted once, whichever
 * identifier is used. A network is refused for a while after some attempts; over all networks,
 * attempts are only delayed, so that no stranger locks the owner out.
 */

import { setTimeout as delay } from 'node:timers/promises'
import type { Caller } from '#platform/callers.ts'
import { isExceeded, Limiter, type LimitStatus } from '#platform/limiter.ts'
import { digestOf } from '#platform/sealing.ts'
import { DAY_MS, HOUR_MS, MINUTE_MS } from '#platform/time.ts'

/** Of the identifier in a sign-in: a name or an address. */
export const IDENTIFIER_CHARACTERS_MAX = 2_048
/**
 * What an attempt waits more than the one before it, once an account is past its free ones, and at
 * most.
 */
const WAIT_STEP_MS = 100
const WAIT_MS_MAX = 5_000
/** Attempts that wait at once, on all accounts together. */
const WAITING_MAX = 1_000

export interface SignInLimits {
  /** Of one account from one network. */
  readonly signInsIn5Minutes: number
  readonly signInsDaily: number
  /** Of one network, whichever accounts. */
  readonly networkSignInsIn5Minutes: number
  /** Of one account from all networks, before attempts have to wait. */
  readonly accountSignInsHourly: number
}

/** The id of the account that a name, a DID or an address stands for. */
export type FindAccount = (identifier: string) => number | undefined

/** Too many wait already. */
export class SignInsBusyError extends Error {
  override name = 'SignInsBusyError'
  readonly status: LimitStatus
  constructor(status: LimitStatus) {
    super('Too many attempts. Try again later.')
    this.status = status
  }
}

export class SignIns {
  readonly #findAccount: FindAccount
  readonly #pause: (ms: number) => Promise<unknown>
  /** Unknown names are counted apart: inventing them evicts no account's count. */
  readonly #known: readonly Limiter[]
  readonly #unknown: readonly Limiter[]
  readonly #networks: Limiter
  readonly #accounts: Limiter
  #waiting = 0

  constructor(
    limits: SignInLimits,
    findAccount: FindAccount,
    pause: (ms: number) => Promise<unknown> = (ms) => delay(ms),
  ) {
    this.#findAccount = findAccount
    this.#pause = pause
    const perName = () => [
      new Limiter({ points: limits.signInsDaily, durationMs: DAY_MS }),
      new Limiter({ points: limits.signInsIn5Minutes, durationMs: 5 * MINUTE_MS }),
    ]
    this.#known = perName()
    this.#unknown = perName()
    this.#networks = new Limiter({ points: limits.networkSignInsIn5Minutes, durationMs: 5 * MINUTE_MS })
    this.#accounts = new Limiter({ points: limits.accountSignInsHourly, durationMs: HOUR_MS })
  }

  /**
   * Counts an attempt, and waits where the account had many.
   * @returns what is left of each limit; one of them may be exceeded, and then nothing waited
   * @throws SignInsBusyError
   */
  async count(
    identifier: string,
    { network, isMasked }: Pick<Caller, 'network' | 'isMasked'>,
  ): Promise<LimitStatus[]> {
    const called = normalized(identifier)
    const account = this.#findAccount(called)
    const name = account === undefined ? `name:${digestOf(called)}` : `account:${account}`
    const limiters = account === undefined ? this.#unknown : this.#known
    const statuses = limiters.map((limiter) => limiter.count(`${name} ${network}`))
    if (!isMasked) statuses.push(this.#networks.count(network))
    if (statuses.some(isExceeded)) return statuses
    await this.#wait(this.#accounts.count(name))
    return statuses
  }

  async #wait(status: LimitStatus): Promise<void> {
    const beyond = status.consumedPoints - status.limit
    if (beyond <= 0) return
    if (this.#waiting >= WAITING_MAX) throw new SignInsBusyError(status)
    this.#waiting++
    try {
      await this.#pause(Math.min(beyond * WAIT_STEP_MS, WAIT_MS_MAX))
    } finally {
      this.#waiting--
    }
  }
}

const normalized = (identifier: string): string =>
  identifier.slice(0, IDENTIFIER_CHARACTERS_MAX).trim().replace(/^@/, '').toLowerCase()
