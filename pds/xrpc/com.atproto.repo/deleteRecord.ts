import type { ComAtprotoRepoDeleteRecord as Method } from '@atproto/api'
import type { PersonCredentials } from '../../auth/credentials.ts'
import { anyApp } from '../../auth/permissions.ts'
import type { Services } from '../../services.ts'
import { endpoint, json } from '../endpoint.ts'
import { assertMayWrite, commitJson, optionalCid, ownRepo } from '../writing.ts'

export default ({ auth, writer }: Pick<Services, 'auth' | 'writer'>) =>
  endpoint<object, Method.InputSchema, PersonCredentials>({
    auth: (exchange) => auth.access(exchange, { permission: anyApp }),
    handler: async ({ input, credentials }) => {
      const account = ownRepo(auth, input.repo, credentials)
      assertMayWrite(credentials, 'delete', input.collection)
      const path = { collection: input.collection, rkey: input.rkey }
      const swapRecord = optionalCid(input.swapRecord)
      const swapCommit = optionalCid(input.swapCommit)
      const commit = await writer.write(
        account,
        [{ action: 'delete', path, ifThere: true, swapRecord }],
        swapCommit,
      )
      return json({ commit: commit === null ? undefined : commitJson(commit) })
    },
  })
