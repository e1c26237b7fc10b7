/**
 * Rate limits of pages that are expensive or open to guessing. The limits are those of the XRPC
 * methods that do the same; sign-ins share a count with theirs, the rest is counted separately.
 */

import { OAuthError } from '@atproto/oauth-provider/errors'
import type { OAuthHooks } from '@atproto/oauth-provider/hooks'
import type { Caller, Trust } from '#platform/callers.ts'
import { isExceeded, Limiter } from '#platform/limiter.ts'
import { networkOf, unmapped } from '#platform/network-of.ts'
import { DAY_MS, HOUR_MS, MINUTE_MS } from '#platform/time.ts'
import { type SignIns, SignInsBusyError } from '../limits/sign-ins.ts'

/** What there may be of each, of one network or, of mails, of one account. */
export interface PageLimits {
  readonly signUpsIn5Minutes: number
  readonly passwordResetsHourly: number
  readonly passwordResetsDaily: number
  readonly codesIn5Minutes: number
  readonly mailsHourly: number
  readonly mailsDaily: number
}

export interface LimitingParts {
  readonly signIns: SignIns
  readonly points: PageLimits
  /** Whose addresses say nothing of who is behind them. */
  readonly trust: Trust
  /** Who is not limited. */
  readonly isExempt: (caller: Caller) => boolean
}

/** @throws OAuthError when there was too much of it */
type Gate = (key: string) => void

/** Called by the provider before each rate-limited action. */
export function limitingHooks({ signIns, points, trust, isExempt }: LimitingParts): OAuthHooks {
  const gate = (...limits: [points: number, durationMs: number][]): Gate => {
    const limiters = limits.map(([points, durationMs]) => new Limiter({ points, durationMs }))
    return (key) => {
      for (const limiter of limiters) if (isExceeded(limiter.count(key))) throw tooMany()
    }
  }
  const callerOf = (address: string): Caller => ({
    address: unmapped(address),
    network: networkOf(address),
    isMasked: trust(address, 0),
  })
  const perNetwork =
    (gate: Gate) =>
    ({ deviceMetadata: { ipAddress } }: { deviceMetadata: { ipAddress: string } }): void => {
      const caller = callerOf(ipAddress)
      if (!caller.isMasked && !isExempt(caller)) gate(caller.network)
    }
  const mails = gate([points.mailsDaily, DAY_MS], [points.mailsHourly, HOUR_MS])
  const perAccount = ({ account }: { account: { did: string } }): void => mails(account.did)
  const tryCode = perNetwork(gate([points.codesIn5Minutes, 5 * MINUTE_MS]))
  return {
    onSignInAttempt: async ({ data: { username }, deviceMetadata: { ipAddress } }) => {
      const caller = callerOf(ipAddress)
      if (isExempt(caller)) return
      const statuses = await signIns.count(username, caller).catch((error: unknown) => {
        throw error instanceof SignInsBusyError ? tooMany(error) : error
      })
      if (statuses.some(isExceeded)) throw tooMany()
    },
    onSignUpAttempt: perNetwork(gate([points.signUpsIn5Minutes, 5 * MINUTE_MS])),
    onResetPasswordRequest: perNetwork(
      gate([points.passwordResetsDaily, DAY_MS], [points.passwordResetsHourly, HOUR_MS]),
    ),
    onResetPasswordConfirm: tryCode,
    onDeleteAccountConfirm: tryCode,
    onUpdateEmailConfirm: tryCode,
    onVerifyEmailConfirm: tryCode,
    onVerifyEmailRequest: perAccount,
    onChangeEmailRequest: perAccount,
    onDeleteAccountRequest: perAccount,
  }
}

const tooMany = (cause?: unknown): OAuthError =>
  new OAuthError('rate_limit_exceeded', 'Too many attempts. Try again later.', 429, cause)
