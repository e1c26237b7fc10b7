/**
 * Service tokens: what an account shows to another service to prove who calls.
 * https://atproto.com/specs/xrpc#inter-service-authentication-jwt
 */

import { createServiceJwt } from '@atproto/xrpc-server'
import { DomainError } from '#platform/errors.ts'
import type { SigningKey } from '#protocol/keys.ts'
import type { SessionScope } from '../accounts/sessions.ts'
import type { AccountStore } from '../store/accounts.ts'
import { AuthError } from './credentials.ts'
import { type IsProtected, isForOwnPassword, isPrivileged } from './methods.ts'

export interface ServiceTokenRequest {
  /** Who will be shown the token: a DID, or a DID and a service's id. */
  readonly audience: string
  /** The method that it is for; left out, any. */
  readonly method?: string
  /** Seconds since 1970. */
  readonly expiresAt?: number
}

/** What a taken down account may still request from another host: moving there. */
const MOVING_METHOD = 'com.atproto.server.createAccount'

/**
 * The methods that an account which is taken down still calls elsewhere: it moves away, and answers
 * moderators.
 */
const METHODS_WHEN_TAKENDOWN: readonly (string | undefined)[] = [
  MOVING_METHOD,
  'com.atproto.moderation.createReport',
]

const LIFETIME_SECONDS_MAX = 3600
const METHODLESS_LIFETIME_SECONDS_MAX = 60
const AUDIENCE = /^did:(plc:[a-z2-7]{24}|web:[a-zA-Z0-9.%-]+)(#[a-zA-Z][a-zA-Z0-9_-]*)?$/

export class ServiceTokens {
  readonly #keyOf: (account: number) => SigningKey
  readonly #accounts: Pick<AccountStore, 'byId'>
  readonly #isProtected: IsProtected

  constructor(
    keyOf: (account: number) => SigningKey,
    accounts: Pick<AccountStore, 'byId'>,
    isProtected: IsProtected,
  ) {
    this.#keyOf = keyOf
    this.#accounts = accounts
    this.#isProtected = isProtected
  }

  /**
   * A token signed with the account's key, as requested.
   * @param scope of the requesting session; omitted for an OAuth client, whose permission was
   * checked
   * @throws DomainError
   */
  create(
    account: { id: number; did: string; takedownRef: string | null },
    scope: SessionScope | undefined,
    { audience, method, expiresAt }: ServiceTokenRequest,
  ): Promise<string> {
    if (!AUDIENCE.test(audience)) {
      throw new DomainError('invalid', 'aud must be a valid atproto DID or did#serviceId reference')
    }
    const isTakendown = scope === 'com.atproto.takendown' || account.takedownRef !== null
    if (isTakendown && method !== MOVING_METHOD)
      throw new DomainError('invalid', 'Bad token scope', 'InvalidToken')
    if (method !== undefined && isPrivileged(method) && scope === 'com.atproto.appPass') {
      throw insufficient(method)
    }
    if (expiresAt) assertLifetime(expiresAt - Date.now() / 1000, method)
    if (method !== undefined && this.#isProtected(method)) {
      throw new DomainError(
        'invalid',
        `cannot request a service auth token for the following protected method: ${method}`,
      )
    }
    if (method !== undefined && isForOwnPassword(method) && isAppPassword(scope)) throw insufficient(method)
    return this.sign(account, { audience, method, expiresAt })
  }

  /**
   * The same for a request that this server sends on itself, and so has decided on already.
   * @throws AuthError when the account is gone, or is taken down and the method is none of those
   * left to it
   */
  async sign(
    account: { id: number; did: string },
    { audience, method, expiresAt }: ServiceTokenRequest,
  ): Promise<string> {
    const current = this.#accounts.byId(account.id)
    if (current === undefined) throw new AuthError('forbidden', 'Account not found', 'AccountNotFound')
    if (current.takedownRef !== null && !METHODS_WHEN_TAKENDOWN.includes(method)) {
      throw new AuthError('unauthenticated', 'Account has been taken down', 'AccountTakedown')
    }
    const key = this.#keyOf(account.id)
    return createServiceJwt({
      iss: account.did,
      aud: audience,
      exp: expiresAt,
      lxm: method ?? null,
      keypair: { jwtAlg: key.algorithm, did: () => key.did, sign: async (message) => key.sign(message) },
    })
  }
}

const isAppPassword = (scope: SessionScope | undefined): boolean =>
  scope === 'com.atproto.appPass' || scope === 'com.atproto.appPassPrivileged'

const insufficient = (method: string) =>
  new DomainError(
    'invalid',
    `insufficient access to request a service auth token for the following method: ${method}`,
  )

function assertLifetime(seconds: number, method: string | undefined): void {
  if (seconds < 0) throw new DomainError('invalid', 'expiration is in past', 'BadExpiration')
  if (seconds > LIFETIME_SECONDS_MAX) {
    throw new DomainError(
      'invalid',
      'cannot request a token with an expiration more than an hour in the future',
      'BadExpiration',
    )
  }
  if (method === undefined && seconds > METHODLESS_LIFETIME_SECONDS_MAX) {
    throw new DomainError(
      'invalid',
      'cannot request a method-less token with an expiration more than a minute in the future',
      'BadExpiration',
    )
  }
}
