import type { ComAtprotoServerRequestPasswordReset as Method } from '@atproto/api'
import { endpoint } from '../endpoint.ts'
import { perDay, perHour } from '../rate-limits.ts'

export default endpoint<object, Method.InputSchema>({
  rateLimit: [perDay('passwordResetsDaily'), perHour('passwordResetsHourly')],
  handle: ({ input: { email } }, { passwordChanges }) => passwordChanges.requestUnseen(email),
})
