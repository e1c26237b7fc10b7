import type { ComAtprotoServerDeleteAccount as Method } from '@atproto/api'
import type { Services } from '../../services.ts'
import { endpoint } from '../endpoint.ts'

export default ({ accounts }: Pick<Services, 'accounts'>) =>
  endpoint<object, Method.InputSchema>({
    handler: ({ input: { did, password, token } }) => accounts.delete(did, password, token),
  })
