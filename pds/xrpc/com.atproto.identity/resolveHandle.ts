import type { ComAtprotoIdentityResolveHandle as Method } from '@atproto/api'
import { InvalidRequestError } from '@atproto/xrpc-server'
import { statusOf } from '../../accounts/status.ts'
import { endpoint, json } from '../endpoint.ts'

export default endpoint<Method.QueryParams>({
  handle: async ({ params }, { accounts, handles, appView }) => {
    const handle = handles.normalize(params.handle)
    const account = accounts.find(handle)
    if (account !== undefined && statusOf(account) === 'active') return json({ did: account.did })
    // A handle under this host's domains without an account does not exist; others are resolved.
    if (handles.isLocal(handle)) throw new InvalidRequestError('Unable to resolve handle', 'HandleNotFound')
    const did = appView ? await appView.resolveHandle(handle) : await handles.resolve(handle)
    if (did === undefined) throw new InvalidRequestError('Unable to resolve handle', 'HandleNotFound')
    return json({ did })
  },
})
