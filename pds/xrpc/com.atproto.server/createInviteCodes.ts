import type { ComAtprotoServerCreateInviteCodes as Method } from '@atproto/api'
import { OPERATOR } from '../../accounts/invites.ts'
import type { AdminCredentials } from '../../auth/credentials.ts'
import { admin } from '../auth.ts'
import { endpoint, json } from '../endpoint.ts'

export default endpoint<object, Method.InputSchema, AdminCredentials>({
  auth: admin,
  handle: async ({ input: { codeCount, useCount, forAccounts = [OPERATOR] } }, { invites }) =>
    json({ codes: await invites.create(forAccounts, codeCount, useCount) }),
})
