import type { ComAtprotoServerDeleteAccount as Method } from '@atproto/api'
import { endpoint } from '../endpoint.ts'
import { perMinutes } from '../rate-limits.ts'

export default endpoint<object, Method.InputSchema>({
  rateLimit: [perMinutes(5, 'codesIn5Minutes')],
  handle: ({ input: { did, password, token } }, { accounts }) => accounts.delete(did, password, token),
})
