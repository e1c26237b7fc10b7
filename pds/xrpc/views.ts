/** What the methods that an AppView answers have in common. */
import type { PersonCredentials } from '../auth/credentials.ts'
import type { PatchedView } from '../proxy/patches.ts'
import type { AppViewServices } from '../services.ts'
import { proxies, user } from './auth.ts'
import { endpoint } from './endpoint.ts'

/** An endpoint of a view that gets the caller's own writes put into it. */
export const patchedView = (nsid: PatchedView) =>
  endpoint<object, undefined, PersonCredentials, AppViewServices>({
    auth: user(),
    permission: proxies(nsid),
    handle: ({ request, credentials }, { views }) => views.get(nsid, request, credentials.did),
  })
