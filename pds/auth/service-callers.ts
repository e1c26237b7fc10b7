/**
 * Service tokens that others show here: who calls, proven by the key of the caller's DID document.
 * https://atproto.com/specs/xrpc#inter-service-authentication-jwt
 */

import { verifyJwt } from '@atproto/xrpc-server'
import { parseDidKey, verifySignature } from '#protocol/keys.ts'
import { type DidDocuments, keyIn } from '../identity/did-documents.ts'
import { AuthError } from './credentials.ts'

const TOKEN_CHARACTERS_MAX = 8_192
/** Longer than any token is made for: an hour, and a minute for clocks that differ. */
const LIFETIME_SECONDS_MAX = 3_660

/** What a token must be made out to. */
export interface ServiceTokenRules {
  /** The DID of this service. */
  readonly audience: string
  /** The method that is called. */
  readonly method: string
  /** Who may call: DIDs, or DIDs with the id of a service; left out, anybody. */
  readonly issuers?: readonly string[]
}

/**
 * The issuer of a token: a DID, or a DID and the id of one of its services. If the key does not
 * match, the DID is resolved once more, because the key may have been rotated.
 * @throws AuthError with the error names of `@atproto/pds`
 */
export async function verifyServiceToken(
  token: string,
  { audience, method, issuers }: ServiceTokenRules,
  didDocuments: DidDocuments,
): Promise<string> {
  if (token.length > TOKEN_CHARACTERS_MAX)
    throw new AuthError('unauthenticated', 'poorly formatted jwt', 'BadJwt')
  const keyOf = async (issuer: string, fresh: boolean): Promise<string> => {
    if (issuers !== undefined && !issuers.includes(issuer))
      throw new AuthError('unauthenticated', 'Untrusted issuer', 'UntrustedIss')
    const [did = '', service] = issuer.split('#')
    const document = await didDocuments.find(did, { fresh })
    if (document === undefined) throw new AuthError('unauthenticated', 'could not resolve iss did')
    const key = keyIn(document, service === 'atproto_labeler' ? 'atproto_label' : 'atproto')
    if (key !== undefined) return key
    // The document may have got its key since it was kept.
    if (!fresh) return keyOf(issuer, true)
    throw new AuthError('unauthenticated', 'missing or bad key in did doc')
  }
  const { iss, aud, exp } = await verifyJwt(token, null, method, keyOf, fits).catch((error: unknown) => {
    // The library parses what a stranger sent.
    if (error instanceof SyntaxError) throw new AuthError('unauthenticated', 'poorly formatted jwt', 'BadJwt')
    throw error
  })
  if (exp > Date.now() / 1000 + LIFETIME_SECONDS_MAX)
    throw new AuthError('unauthenticated', 'jwt expires too far in the future', 'BadJwt')
  if (aud !== audience)
    throw new AuthError('unauthenticated', 'jwt audience does not match service did', 'BadJwtAudience')
  return iss
}

async function fits(key: string, message: Uint8Array, signature: Uint8Array, algorithm: string) {
  return (
    parseDidKey(key).algorithm === algorithm &&
    verifySignature(key, message, signature, { allowMalleable: true })
  )
}
