/** Service tokens: what an account shows to another service to prove who calls. https://atproto.com/specs/xrpc#inter-service-authentication-jwt */
import { createServiceJwt } from '@atproto/xrpc-server'
import type { SigningKey } from '#protocol/keys.ts'

/** A token that is not made as asked. `code` is the XRPC error name. */
export class ServiceTokenError extends Error {
  override name = 'ServiceTokenError'
  readonly code: 'BadExpiration' | undefined
  constructor(message: string, code?: 'BadExpiration') {
    super(message)
    this.code = code
  }
}

export interface ServiceTokenRequest {
  /** Who will be shown the token: a DID, or a DID and a service's id. */
  readonly audience: string
  /** The method that it is for; left out, any. */
  readonly method?: string
  /** Seconds since 1970. */
  readonly expiresAt?: number
}

/** Methods that no other service may call in a person's name. */
const PROTECTED_METHODS = new Set([
  'com.atproto.admin.sendEmail',
  'com.atproto.identity.requestPlcOperationSignature',
  'com.atproto.identity.signPlcOperation',
  'com.atproto.identity.updateHandle',
  'com.atproto.server.activateAccount',
  'com.atproto.server.confirmEmail',
  'com.atproto.server.createAppPassword',
  'com.atproto.server.deactivateAccount',
  'com.atproto.server.getAccountInviteCodes',
  'com.atproto.server.getSession',
  'com.atproto.server.listAppPasswords',
  'com.atproto.server.requestAccountDelete',
  'com.atproto.server.requestEmailConfirmation',
  'com.atproto.server.requestEmailUpdate',
  'com.atproto.server.revokeAppPassword',
  'com.atproto.server.updateEmail',
])

const LIFETIME_SECONDS_MAX = 3600
const METHODLESS_LIFETIME_SECONDS_MAX = 60
const AUDIENCE = /^did:(plc:[a-z2-7]{24}|web:[a-zA-Z0-9.%-]+)(#[a-zA-Z][a-zA-Z0-9_-]*)?$/

export class ServiceTokens {
  readonly #keyOf: (account: number) => SigningKey

  constructor(keyOf: (account: number) => SigningKey) {
    this.#keyOf = keyOf
  }

  /**
   * A token signed with the account's key.
   * @throws ServiceTokenError
   */
  create(
    account: { id: number; did: string },
    { audience, method, expiresAt }: ServiceTokenRequest,
  ): Promise<string> {
    if (!AUDIENCE.test(audience)) {
      throw new ServiceTokenError('aud must be a valid atproto DID or did#serviceId reference')
    }
    if (expiresAt !== undefined) assertLifetime(expiresAt - Date.now() / 1000, method)
    if (method !== undefined && PROTECTED_METHODS.has(method)) {
      throw new ServiceTokenError(
        `cannot request a service auth token for the following protected method: ${method}`,
      )
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

function assertLifetime(seconds: number, method: string | undefined): void {
  if (seconds < 0) throw new ServiceTokenError('expiration is in past', 'BadExpiration')
  if (seconds > LIFETIME_SECONDS_MAX) {
    throw new ServiceTokenError(
      'cannot request a token with an expiration more than an hour in the future',
      'BadExpiration',
    )
  }
  if (method === undefined && seconds > METHODLESS_LIFETIME_SECONDS_MAX) {
    throw new ServiceTokenError(
      'cannot request a method-less token with an expiration more than a minute in the future',
      'BadExpiration',
    )
  }
}
