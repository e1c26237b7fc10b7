import type { ComAtprotoServerCreateInviteCode as Method } from '@atproto/api'
import { OPERATOR } from '../../accounts/invites.ts'
import type { AdminCredentials } from '../../auth/credentials.ts'
import type { Services } from '../../services.ts'
import { endpoint, json } from '../endpoint.ts'

export default ({ auth, invites }: Pick<Services, 'auth' | 'invites'>) =>
  endpoint<object, Method.InputSchema, AdminCredentials>({
    auth: ({ request }) => auth.admin(request),
    handler: async ({ input: { useCount, forAccount = OPERATOR } }) => {
      const [made] = await invites.create([forAccount], 1, useCount)
      return json({ code: made?.codes[0] })
    },
  })
