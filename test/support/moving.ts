/**
 * Moves an account from host to host, the way that the protocol's guide says.
 * https://atproto.com/guides/account-migration
 */
import { AtpAgent, type ComAtprotoServerCheckAccountStatus as CheckStatus } from '@atproto/api'
import { PASSWORD } from './pds.ts'
import type { MailServer } from './smtp.ts'

/** A host that accounts move to. */
export interface Host {
  readonly url: string
  readonly did: string
}

type Status = CheckStatus.OutputSchema

/** What the new host says after each step. */
export interface MoveStatuses {
  readonly imported: Status
  readonly uploaded: Status
  readonly named: Status
  readonly activated: Status
}

/** How many missing blobs are asked for at once. */
const PAGE = 70

/** Moves the account that is signed in by `from`. */
export async function moveAccount(
  from: AtpAgent,
  to: Host,
  { did, handle, mails }: { did: string; handle: string; mails: MailServer },
): Promise<{ agent: AtpAgent; statuses: MoveStatuses }> {
  const moved = new AtpAgent({ service: to.url })
  const { data: auth } = await from.com.atproto.server.getServiceAuth({
    aud: to.did,
    lxm: 'com.atproto.server.createAccount',
  })
  const email = from.session!.email!
  await moved.com.atproto.server.createAccount(
    { did, handle, email, password: PASSWORD },
    { headers: { authorization: `Bearer ${auth.token}` } },
  )
  await moved.login({ identifier: did, password: PASSWORD })
  const status = async () => (await moved.com.atproto.server.checkAccountStatus()).data

  const { data: archive } = await from.com.atproto.sync.getRepo({ did })
  await moved.com.atproto.repo.importRepo(archive, { encoding: 'application/vnd.ipld.car' })
  const imported = await status()
  for (let cursor: string | undefined; ; ) {
    const { data } = await moved.com.atproto.repo.listMissingBlobs({ cursor, limit: PAGE })
    for (const { cid } of data.blobs) {
      const blob = await from.com.atproto.sync.getBlob({ did, cid })
      await moved.com.atproto.repo.uploadBlob(blob.data, { encoding: blob.headers['content-type'] })
    }
    cursor = data.cursor
    if (cursor === undefined) break
  }
  const uploaded = await status()

  const { data: preferences } = await from.app.bsky.actor.getPreferences()
  await moved.app.bsky.actor.putPreferences(preferences)

  const { data: wanted } = await moved.com.atproto.identity.getRecommendedDidCredentials()
  await from.com.atproto.identity.requestPlcOperationSignature()
  const { data: signed } = await from.com.atproto.identity.signPlcOperation({
    ...wanted,
    token: mails.code(email),
  })
  await moved.com.atproto.identity.submitPlcOperation(signed)
  const named = await status()
  await moved.com.atproto.server.activateAccount()
  await from.com.atproto.server.deactivateAccount({})
  return { agent: moved, statuses: { imported, uploaded, named, activated: await status() } }
}
