import type { AppBskyActorPutPreferences as Method } from '@atproto/api'
import { lexToJson } from '@atproto/lexicon'
import { InvalidRequestError } from '@atproto/xrpc-server'
import type { Preference } from '../../accounts/preferences.ts'
import type { PersonCredentials } from '../../auth/credentials.ts'
import { hasFullPassword } from '../../auth/verifier.ts'
import type { Services } from '../../services.ts'
import { endpoint } from '../endpoint.ts'

const NSID = 'app.bsky.actor.putPreferences'

export default ({ auth, preferences, proxy }: Pick<Services, 'auth' | 'preferences' | 'proxy'>) =>
  endpoint<object, Method.InputSchema, PersonCredentials>({
    auth: (exchange) => auth.access(exchange, { permission: proxy.permission(NSID), checkTakedown: true }),
    handler: async ({ request, input, credentials }) => {
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
