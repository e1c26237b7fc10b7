import type { ComAtprotoServerResetPassword as Method } from '@atproto/api'
import type { Services } from '../../services.ts'
import { endpoint } from '../endpoint.ts'

export default ({ passwordChanges }: Pick<Services, 'passwordChanges'>) =>
  endpoint<object, Method.InputSchema>({
    handler: async ({ input: { token, password } }) => {
      await passwordChanges.reset(token, password)
    },
  })
