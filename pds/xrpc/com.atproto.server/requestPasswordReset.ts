import type { ComAtprotoServerRequestPasswordReset as Method } from '@atproto/api'
import type { Services } from '../../services.ts'
import { endpoint } from '../endpoint.ts'

export default ({ passwordChanges }: Pick<Services, 'passwordChanges'>) =>
  endpoint<object, Method.InputSchema>({
    handler: ({ input: { email } }) => passwordChanges.requestUnseen(email),
  })
