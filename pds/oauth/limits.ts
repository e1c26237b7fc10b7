/**
 * How often the pages may be asked for what costs much or can be guessed at. The limits are those of the XRPC methods that do the same;
 * each way in counts for itself.
 */
import { OAuthError } from '@atproto/oauth-provider/errors'
import type { OAuthHooks } from '@atproto/oauth-provider/hooks'
import { MemoryRateLimiter, RateLimitExceededError } from '@atproto/xrpc-server'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS

/** Of one name from one address. */
const SIGN_INS = { daily: 300, in5Minutes: 30 }
/** Of one address. */
const SIGN_UPS_IN_5_MINUTES = 100
const PASSWORD_RESETS = { daily: 50, hourly: 15 }
const CODES_TRIED_IN_5_MINUTES = 50
/** Of one account. */
const MAILS = { daily: 15, hourly: 5 }

/** @throws OAuthError when there was too much of it */
type Gate = (key: string) => Promise<void>

/** What the provider asks before it does something, so that nobody does it too often. */
export function limitingHooks(bypassIps: readonly string[]): OAuthHooks {
  let gates = 0
  const gate = (...limits: [points: number, durationMs: number][]): Gate => {
    const limiters = limits.map(
      ([points, durationMs]) =>
        new MemoryRateLimiter<string>({
          keyPrefix: `oauth-${gates++}`,
          durationMs,
          points,
          calcKey: (key) => key,
          calcPoints: () => 1,
        }),
    )
    return async (key) => {
      for (const limiter of limiters) await limiter.consume(key).catch(refuse)
    }
  }
  const perAddress =
    (gate: Gate) =>
    async ({ deviceMetadata: { ipAddress } }: { deviceMetadata: { ipAddress: string } }): Promise<void> => {
      if (!bypassIps.includes(ipAddress)) await gate(ipAddress)
    }
  const signIn = gate([SIGN_INS.daily, DAY_MS], [SIGN_INS.in5Minutes, 5 * MINUTE_MS])
  const mails = gate([MAILS.daily, DAY_MS], [MAILS.hourly, HOUR_MS])
  const perAccount = ({ account }: { account: { did: string } }): Promise<void> => mails(account.did)
  const tryCode = perAddress(gate([CODES_TRIED_IN_5_MINUTES, 5 * MINUTE_MS]))
  return {
    onSignInAttempt: async ({ data: { username }, deviceMetadata: { ipAddress } }) => {
      if (!bypassIps.includes(ipAddress)) await signIn(`${username}-${ipAddress}`)
    },
    onSignUpAttempt: perAddress(gate([SIGN_UPS_IN_5_MINUTES, 5 * MINUTE_MS])),
    onResetPasswordRequest: perAddress(
      gate([PASSWORD_RESETS.daily, DAY_MS], [PASSWORD_RESETS.hourly, HOUR_MS]),
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

function refuse(error: unknown): never {
  if (!(error instanceof RateLimitExceededError)) throw error
  throw new OAuthError('rate_limit_exceeded', 'Too many attempts. Try again later.', 429, error)
}
