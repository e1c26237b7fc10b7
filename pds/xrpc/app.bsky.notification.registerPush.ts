import type { AppBskyNotificationRegisterPush as Method } from '@atproto/api'
import type { AccessCredentials } from '../auth/credentials.ts'
import { SCOPES_WITH_QUEUED } from '../auth/verifier.ts'
import type { AppViewServices } from '../services.ts'
import { endpoint } from './endpoint.ts'
import { sendToNotifications } from './notifications.ts'

export default ({
  auth,
  ...services
}: Pick<AppViewServices, 'auth' | 'appView' | 'destinations' | 'proxy'>) =>
  endpoint<object, Method.InputSchema, AccessCredentials>({
    auth: (request) => auth.access(request, { scopes: SCOPES_WITH_QUEUED }),
    handler: (call) => sendToNotifications('app.bsky.notification.registerPush', services, call),
  })
