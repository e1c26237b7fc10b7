import type { ComAtprotoServerResetPassword as Method } from '@atproto/api'
import { endpoint } from '../endpoint.ts'
import { perMinutes } from '../rate-limits.ts'

export default endpoint<object, Method.InputSchema>({
  rateLimit: [perMinutes(5, 'codesIn5Minutes')],
  handle: async ({ input: { token, password } }, { passwordChanges }) => {
    await passwordChanges.reset(token, password)
  },
})
