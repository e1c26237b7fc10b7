/** What registering a device for push notifications and forgetting it have in common. */
import type { PersonCredentials } from '../auth/credentials.ts'
import type { AppViewServices } from '../services.ts'
import type { Call } from './endpoint.ts'

/**
 * Sends the input to the notification service that it names: that of the AppView, or one found by
 * its DID document.
 */
export async function sendToNotifications(
  nsid: string,
  { appView, destinations, proxy }: Pick<AppViewServices, 'appView' | 'destinations' | 'proxy'>,
  { request, input, credentials }: Call<object, { serviceDid: string }, PersonCredentials>,
): Promise<void> {
  const { serviceDid } = input
  if (credentials.type === 'app') {
    credentials.permissions.assertRpc({ aud: `${serviceDid}#bsky_notif`, lxm: nsid })
  }
  const destination =
    serviceDid === appView.did ? appView.destination : await destinations.notifications(serviceDid)
  await proxy.send({ nsid, request }, { did: credentials.did }, input, destination)
}
