/** What the methods that an AppView answers have in common. */
import type { AccessCredentials } from '../auth/credentials.ts'
import type { PatchedView } from '../proxy/patches.ts'
import type { AppViewServices } from '../services.ts'
import { endpoint } from './endpoint.ts'

/** An endpoint of a view that gets the caller's own writes put into it. */
export const patchedView = (nsid: PatchedView, { auth, views }: Pick<AppViewServices, 'auth' | 'views'>) =>
  endpoint<object, undefined, AccessCredentials>({
    auth: (request) => auth.access(request),
    handler: ({ request, credentials }) => views.get(nsid, request, credentials.did),
  })
