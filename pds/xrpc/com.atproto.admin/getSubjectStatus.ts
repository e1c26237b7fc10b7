import type { ComAtprotoAdminGetSubjectStatus as Method } from '@atproto/api'
import { AtUri } from '@atproto/syntax'
import { InvalidRequestError } from '@atproto/xrpc-server'
import { formatCid, parseCid } from '#protocol/cid.ts'
import type { AdminCredentials, ServiceCredentials } from '../../auth/credentials.ts'
import type { Services } from '../../services.ts'
import { moderator } from '../auth.ts'
import { endpoint, json } from '../endpoint.ts'

type Parts = Pick<Services, 'auth' | 'accounts' | 'takedowns'>

export default endpoint<Method.QueryParams, undefined, AdminCredentials | ServiceCredentials>({
  auth: moderator,
  handle: ({ params }, parts) => {
    const status = statusOf(parts, params)
    if (status === undefined) throw new InvalidRequestError('Subject not found', 'NotFound')
    return json(status)
  },
})

function statusOf(
  { accounts, takedowns }: Parts,
  { did, uri, blob }: Method.QueryParams,
): object | undefined {
  const ownerOf = (repo: string) => {
    const account = accounts.find(repo)
    if (account === undefined) throw new InvalidRequestError('Repo not found', 'NotFound')
    return account
  }
  if (blob) {
    if (!did) throw new InvalidRequestError('Must provide a did to request blob state')
    const takedown = takedowns.ofBlob(ownerOf(did), parseCid(blob))
    const subject = { $type: 'com.atproto.admin.defs#repoBlobRef', did, cid: blob }
    return takedown && { subject, takedown }
  }
  if (uri) {
    const { host, collection, rkey } = new AtUri(uri)
    const record = takedowns.ofRecord(ownerOf(host), { collection, rkey })
    if (record === undefined) return undefined
    const { cid, takedown } = record
    return { subject: { $type: 'com.atproto.repo.strongRef', uri, cid: formatCid(cid) }, takedown }
  }
  if (!did) throw new InvalidRequestError('No provided subject')
  const account = accounts.find(did)
  return (
    account && {
      subject: { $type: 'com.atproto.admin.defs#repoRef', did },
      takedown: takedowns.ofAccount(account),
      deactivated: { applied: account.deactivatedAt !== null },
    }
  )
}
