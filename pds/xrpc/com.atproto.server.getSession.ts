import { InvalidRequestError } from '@atproto/xrpc-server'
import type { AccessCredentials } from '../auth/credentials.ts'
import { SCOPES_WITH_QUEUED } from '../auth/verifier.ts'
import type { Services } from '../services.ts'
import { endpoint, json } from './endpoint.ts'
import { describeSession } from './session.ts'

type Parts = Pick<Services, 'auth' | 'accounts' | 'config' | 'didDocuments'>

export default (parts: Parts) =>
  endpoint<object, undefined, AccessCredentials>({
    auth: (request) => parts.auth.access(request, { scopes: SCOPES_WITH_QUEUED }),
    handler: async ({ credentials: { did } }) => {
      const account = parts.accounts.find(did)
      if (account === undefined || account.takedownRef !== null) {
        throw new InvalidRequestError(`Could not find user info for account: ${did}`)
      }
      return json(await describeSession(parts, account))
    },
  })
