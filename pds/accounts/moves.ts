/**
 * Accounts that are moving in: made for an identity from elsewhere, and not active yet. Anybody
 * with an identity can begin a move, so how many there are and how much they bring is limited, from
 * one network and in all. Each step gives the move more time.
 */

import type { Logger } from '#platform/log.ts'
import { HOUR_MS } from '#platform/time.ts'
import type { Account } from '../store/accounts.ts'
import type { Moved, MovesTotal } from '../store/moves.ts'
import type { Store } from '../store/store.ts'
import { AccountError } from './errors.ts'

export interface MovesOptions {
  readonly unactivatedKeepMs: number
  readonly movesMax: number
  readonly movesPerNetworkMax: number
  readonly moveBytesMax: number
  readonly moveBytesPerNetworkMax: number
}

/** Steps within this time of the last one are not written down. */
const STEP_MS = HOUR_MS

export class Moves {
  readonly #store: Store
  readonly #log: Logger
  readonly #options: MovesOptions

  constructor(store: Store, log: Logger, options: MovesOptions) {
    this.#store = store
    this.#log = log
    this.#options = options
  }

  /** When a move ends that makes a step at a time and no other. */
  endsAt(now: string): string {
    return new Date(Date.parse(now) + this.#options.unactivatedKeepMs).toISOString()
  }

  /**
   * Checks that another move can begin.
   * @throws AccountError
   */
  assertPlace(network: string): void {
    const { movesMax, movesPerNetworkMax } = this.#options
    const isFull = ({ accounts }: MovesTotal, max: number) => accounts >= max
    if (isFull(this.#store.moves.total(network), movesPerNetworkMax)) {
      throw quotaExceeded('Too many accounts are moving here from your network. Activate one of them first.')
    }
    if (isFull(this.#store.moves.total(), movesMax)) {
      throw quotaExceeded('Too many accounts are moving here at the moment. Please try again later.')
    }
  }

  /**
   * Checks that a move can bring that many bytes more; nothing for an account that has moved in.
   * @throws AccountError
   */
  assertRoom({ id, moveStepAt }: Pick<Account, 'id' | 'moveStepAt'>, bytes: number): void {
    if (moveStepAt === null) return
    const { moveBytesMax, moveBytesPerNetworkMax } = this.#options
    const network = this.#store.moves.network(id)
    const isOver = (total: MovesTotal, max: number) => total.bytes + bytes > max
    if (
      isOver(this.#store.moves.total(), moveBytesMax) ||
      (network !== undefined && isOver(this.#store.moves.total(network), moveBytesPerNetworkMax))
    ) {
      throw quotaExceeded('Accounts that are moving here take up too much room. Activate this one first.')
    }
  }

  /** Counts what a move has brought; nothing for an account that has moved in. */
  async brought({ id, moveStepAt }: Pick<Account, 'id' | 'moveStepAt'>, moved: Moved): Promise<void> {
    if (moveStepAt === null) return
    await this.#store.db.write((tx) => this.#store.moves.addBrought(tx, id, moved))
  }

  /** Gives a move more time, because its owner does something. Nobody waits for it. */
  step({ id, did, moveStepAt }: Pick<Account, 'id' | 'did' | 'moveStepAt'>): void {
    if (moveStepAt === null || Date.now() - Date.parse(moveStepAt) < STEP_MS) return
    this.#store.db
      .write((tx) => this.#store.moves.setStep(tx, id, this.endsAt(tx.now)))
      .catch((error: unknown) =>
        this.#log.error(
          { err: error, did, todo: 'look at the error: the database may be full or damaged' },
          'a step of a move was not noted',
        ),
      )
  }
}

const quotaExceeded = (message: string) => new AccountError(message, 'QuotaExceeded')
