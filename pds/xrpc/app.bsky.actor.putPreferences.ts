import type { AppBskyActorPutPreferences as Method } from '@atproto/api'
import { lexToJson } from '@atproto/lexicon'
import { InvalidRequestError } from '@atproto/xrpc-server'
import type { Preference } from '../accounts/preferences.ts'
import type { AccessCredentials } from '../auth/credentials.ts'
import type { AppViewServices } from '../services.ts'
import { endpoint } from './endpoint.ts'

const NSID = 'app.bsky.actor.putPreferences'

export default ({ auth, preferences, proxy }: Pick<AppViewServices, 'auth' | 'preferences' | 'proxy'>) =>
  endpoint<object, Method.InputSchema, AccessCredentials>({
    auth: (request) => auth.access(request, { checkTakedown: true }),
    handler: async ({ request, input, credentials: { did, scope } }) => {
      const call = { nsid: NSID, request }
      const wanted = input.preferences.map((preference) => lexToJson(preference) as Preference)
      if (!proxy.isForAppView(call)) {
        await proxy.send(call, { did }, { preferences: wanted })
        return
      }
      if (wanted.some(({ $type }) => typeof $type !== 'string')) {
        throw new InvalidRequestError('Preference is missing a $type')
      }
      await preferences.put(auth.account(did, {}), wanted, { full: scope === 'com.atproto.access' })
    },
  })
