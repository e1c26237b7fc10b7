import type { AppBskyNotificationUnregisterPush as Method } from '@atproto/api'
import type { AccessCredentials } from '../auth/credentials.ts'
import type { AppViewServices } from '../services.ts'
import { endpoint } from './endpoint.ts'
import { sendToNotifications } from './notifications.ts'

export default ({
  auth,
  ...services
}: Pick<AppViewServices, 'auth' | 'appView' | 'destinations' | 'proxy'>) =>
  endpoint<object, Method.InputSchema, AccessCredentials>({
    auth: (request) => auth.access(request),
    handler: (call) => sendToNotifications('app.bsky.notification.unregisterPush', services, call),
  })
