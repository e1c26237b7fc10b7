import type { AppBskyActorPutPreferences as Method } from '@atproto/api'
import { lexToJson } from '@atproto/lexicon'
import { InvalidRequestError } from '@atproto/xrpc-server'
import type { Preference } from '../../accounts/preferences.ts'
import type { PersonCredentials } from '../../auth/credentials.ts'
import { hasFullPassword } from '../../auth/verifier.ts'
import { proxies, user } from '../auth.ts'
import { endpoint } from '../endpoint.ts'

const NSID = 'app.bsky.actor.putPreferences'

export default endpoint<object, Method.InputSchema, PersonCredentials>({
  auth: user({ checkTakedown: true }),
  permission: proxies(NSID),
  handle: async ({ request, input, credentials }, { auth, preferences, proxy }) => {
    const { did } = credentials
    const call = { nsid: NSID, request }
    const wanted = input.preferences.map((preference) => lexToJson(preference) as Preference)
    if (!proxy.isForAppView(call)) {
      await proxy.send(call, { did }, { preferences: wanted })
      return
    }
    if (wanted.some(({ $type }) => typeof $type !== 'string')) {
      throw new InvalidRequestError('Preference is missing a $type')
    }
    await preferences.put(auth.account(did, {}), wanted, { full: hasFullPassword(credentials) })
  },
})
