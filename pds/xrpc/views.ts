/** What the methods that an AppView answers have in common. */
import type { PersonCredentials } from '../auth/credentials.ts'
import type { PatchedView } from '../proxy/patches.ts'
import type { AppViewServices } from '../services.ts'
import { endpoint } from './endpoint.ts'

/** An endpoint of a view that gets the caller's own writes put into it. */
export const patchedView = (
  nsid: PatchedView,
  { auth, proxy, views }: Pick<AppViewServices, 'auth' | 'proxy' | 'views'>,
) =>
  endpoint<object, undefined, PersonCredentials>({
    auth: (exchange) => auth.access(exchange, { permission: proxy.permission(nsid) }),
    handler: ({ request, credentials }) => views.get(nsid, request, credentials.did),
  })
