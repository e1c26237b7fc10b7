import type { ComAtprotoServerCreateInviteCode as Method } from '@atproto/api'
import { OPERATOR } from '../../accounts/invites.ts'
import type { AdminCredentials } from '../../auth/credentials.ts'
import { admin } from '../auth.ts'
import { endpoint, json } from '../endpoint.ts'

export default endpoint<object, Method.InputSchema, AdminCredentials>({
  auth: admin,
  handle: async ({ input: { useCount, forAccount = OPERATOR } }, { invites }) => {
    const [made] = await invites.create([forAccount], 1, useCount)
    return json({ code: made?.codes[0] })
  },
})
