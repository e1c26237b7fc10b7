import { InvalidRequestError } from '@atproto/xrpc-server'
import type { PersonCredentials, ServiceCredentials } from '../../auth/credentials.ts'
import { hasFullPassword, SCOPES_EVEN_TAKENDOWN } from '../../auth/verifier.ts'
import { proxies, userOrModeration } from '../auth.ts'
import { endpoint, json } from '../endpoint.ts'

const NSID = 'app.bsky.actor.getPreferences'

export default endpoint<object, undefined, PersonCredentials | ServiceCredentials>({
  auth: userOrModeration({ scopes: SCOPES_EVEN_TAKENDOWN }),
  permission: proxies(NSID),
  handle: ({ request, credentials }, { auth, preferences, proxy }) => {
    const isModeration = credentials.type === 'service'
    const did = isModeration ? didParameter(request.url) : credentials.did
    const call = { nsid: NSID, request }
    if (!proxy.isForAppView(call)) {
      if (!isModeration) return proxy.pass(call, { did })
      throw new InvalidRequestError('Moderator requests cannot be proxied to other app views')
    }
    const full = credentials.type === 'service' || hasFullPassword(credentials)
    return json({ preferences: preferences.get(auth.account(did, {}), { full }) })
  },
})

/**
 * Whose preferences the moderation service asks for: a parameter that the lexicon does not know.
 */
function didParameter(url: string | undefined): string {
  const did = new URL(url ?? '/', 'http://localhost').searchParams.get('did')
  if (did?.startsWith('did:')) return did
  throw new InvalidRequestError('Invalid or missing did parameter')
}
