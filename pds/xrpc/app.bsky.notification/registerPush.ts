import type { AppBskyNotificationRegisterPush as Method } from '@atproto/api'
import type { PersonCredentials } from '../../auth/credentials.ts'
import { anyApp } from '../../auth/permissions.ts'
import { SCOPES_WITH_QUEUED } from '../../auth/verifier.ts'
import type { AppViewServices } from '../../services.ts'
import { endpoint } from '../endpoint.ts'
import { sendToNotifications } from '../notifications.ts'

export default ({
  auth,
  ...services
}: Pick<AppViewServices, 'auth' | 'appView' | 'destinations' | 'proxy'>) =>
  endpoint<object, Method.InputSchema, PersonCredentials>({
    auth: (exchange) => auth.access(exchange, { permission: anyApp, scopes: SCOPES_WITH_QUEUED }),
    handler: (call) => sendToNotifications('app.bsky.notification.registerPush', services, call),
  })
