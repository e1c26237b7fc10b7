import type { AppBskyNotificationRegisterPush as Method } from '@atproto/api'
import type { PersonCredentials } from '../../auth/credentials.ts'
import { anyApp } from '../../auth/permissions.ts'
import { SCOPES_WITH_QUEUED } from '../../auth/verifier.ts'
import type { AppViewServices } from '../../services.ts'
import { user } from '../auth.ts'
import { endpoint } from '../endpoint.ts'
import { sendToNotifications } from '../notifications.ts'

export default endpoint<object, Method.InputSchema, PersonCredentials, AppViewServices>({
  auth: user({ scopes: SCOPES_WITH_QUEUED }),
  permission: anyApp,
  handle: (call, services) => sendToNotifications('app.bsky.notification.registerPush', services, call),
})
