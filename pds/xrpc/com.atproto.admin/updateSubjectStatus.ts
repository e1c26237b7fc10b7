import {
  ComAtprotoAdminDefs as Defs,
  type ComAtprotoAdminUpdateSubjectStatus as Method,
  ComAtprotoRepoStrongRef as StrongRef,
} from '@atproto/api'
import { AtUri } from '@atproto/syntax'
import { InvalidRequestError } from '@atproto/xrpc-server'
import { parseCid } from '#protocol/cid.ts'
import type { AdminCredentials, ServiceCredentials } from '../../auth/credentials.ts'
import type { Services } from '../../services.ts'
import { moderator } from '../auth.ts'
import { endpoint, json } from '../endpoint.ts'

type Parts = Pick<Services, 'auth' | 'accounts' | 'standing' | 'takedowns'>

export default endpoint<object, Method.InputSchema, AdminCredentials | ServiceCredentials>({
  auth: moderator,
  handle: async ({ input: { subject, takedown, deactivated } }, parts) => {
    if (takedown?.applied && deactivated?.applied === false) {
      throw new InvalidRequestError('Cannot activate and takedown an account at the same time')
    }
    if (takedown !== undefined) await setTakedown(parts, subject, takedown)
    if (Defs.isRepoRef(subject)) {
      const { standing } = parts
      if (deactivated?.applied === true) await standing.deactivate(subject.did)
      if (deactivated?.applied === false) await standing.activate(subject.did)
      if (takedown === undefined && deactivated === undefined) await standing.announce(subject.did)
    }
    return json({ subject, takedown })
  },
})

async function setTakedown(
  { accounts, standing, takedowns }: Parts,
  subject: Method.InputSchema['subject'],
  takedown: Defs.StatusAttr,
): Promise<void> {
  const ownerOf = (repo: string) => {
    const account = accounts.find(repo)
    if (account === undefined) throw new InvalidRequestError('Repo not found', 'NotFound')
    return account
  }
  if (Defs.isRepoRef(subject)) return standing.setTakedown(subject.did, takedown)
  if (StrongRef.isMain(subject)) {
    const { host, collection, rkey } = new AtUri(subject.uri)
    return takedowns.setRecord(ownerOf(host), { collection, rkey }, takedown)
  }
  if (Defs.isRepoBlobRef(subject)) {
    return takedowns.setBlob(ownerOf(subject.did), parseCid(subject.cid), takedown)
  }
  throw new InvalidRequestError(`Invalid subject (${String(subject.$type).slice(0, 300)})`)
}
