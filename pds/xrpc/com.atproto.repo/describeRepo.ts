import type { ComAtprotoRepoDescribeRepo as Method } from '@atproto/api'
import { INVALID_HANDLE } from '@atproto/syntax'
import { InvalidRequestError } from '@atproto/xrpc-server'
import { endpoint, json } from '../endpoint.ts'
import { readRepo } from '../viewing.ts'

export default endpoint<Method.QueryParams>({
  handle: async ({ params: { repo }, request, response }, { auth, accounts, reader, didDocuments }) => {
    const account = (await readRepo({ auth, accounts }, repo, { request, response })) ?? accounts.hosted(repo)
    const didDoc = await didDocuments.find(account.did)
    if (didDoc === undefined) throw new InvalidRequestError(`Could not resolve DID: ${account.did}`)
    return json({
      handle: account.handle ?? INVALID_HANDLE,
      did: account.did,
      didDoc,
      collections: reader.collections(account),
      handleIsCorrect:
        didDoc.alsoKnownAs?.find((name) => name.startsWith('at://')) === `at://${account.handle}`,
    })
  },
})
