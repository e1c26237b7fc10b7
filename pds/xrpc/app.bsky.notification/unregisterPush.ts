import type { AppBskyNotificationUnregisterPush as Method } from '@atproto/api'
import type { PersonCredentials } from '../../auth/credentials.ts'
import { anyApp } from '../../auth/permissions.ts'
import type { AppViewServices } from '../../services.ts'
import { endpoint } from '../endpoint.ts'
import { sendToNotifications } from '../notifications.ts'

export default ({
  auth,
  ...services
}: Pick<AppViewServices, 'auth' | 'appView' | 'destinations' | 'proxy'>) =>
  endpoint<object, Method.InputSchema, PersonCredentials>({
    auth: (exchange) => auth.access(exchange, { permission: anyApp }),
    handler: (call) => sendToNotifications('app.bsky.notification.unregisterPush', services, call),
  })
