import type { ComAtprotoServerCreateSession as Method } from '@atproto/api'
import type { Services } from '../services.ts'
import { endpoint, json } from './endpoint.ts'
import { describeSession } from './session.ts'

type Parts = Pick<Services, 'accounts' | 'sessions' | 'config' | 'didDocuments'>

export default (parts: Parts) =>
  endpoint<object, Method.InputSchema>({
    handler: async ({ input: { identifier, password } }) => {
      const account = await parts.accounts.login(identifier, password)
      const tokens = await parts.sessions.create(account)
      return json({ ...tokens, ...(await describeSession(parts, account)) })
    },
  })
