import type { AppBskyNotificationUnregisterPush as Method } from '@atproto/api'
import type { PersonCredentials } from '../../auth/credentials.ts'
import { anyApp } from '../../auth/permissions.ts'
import type { AppViewServices } from '../../services.ts'
import { user } from '../auth.ts'
import { endpoint } from '../endpoint.ts'
import { sendToNotifications } from '../notifications.ts'

export default endpoint<object, Method.InputSchema, PersonCredentials, AppViewServices>({
  auth: user(),
  permission: anyApp,
  handle: (call, services) => sendToNotifications('app.bsky.notification.unregisterPush', services, call),
})
