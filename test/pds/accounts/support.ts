/** What the tests of accounts' lives have in common. */
import path from 'node:path'
import { AtpAgent } from '@atproto/api'
import Sqlite3 from 'better-sqlite3'
import { decodeFrame, type RepoEvent } from '#protocol/frame.ts'
import { secrets, type TestPds, type TestUser } from '../../support/pds.ts'
import { Subscriber } from '../../support/subscriber.ts'

/** The operator's client. */
export function operatorOf(pds: { url: string }) {
  const agent = new AtpAgent({ service: pds.url })
  const basic = Buffer.from(`admin:${secrets.PDS_ADMIN_PASSWORD}`).toString('base64')
  agent.setHeader('authorization', `Basic ${basic}`)
  return agent.com.atproto
}

/** A client that is signed in as nobody. */
export const strangerTo = (pds: { url: string }): AtpAgent => new AtpAgent({ service: pds.url })

/** A client with a bearer token. */
export function bearerOf(pds: { url: string }, token: string) {
  const agent = strangerTo(pds)
  agent.setHeader('authorization', `Bearer ${token}`)
  return agent.com.atproto
}

/** The account of a user at another host, with the given token for it. */
export async function createWithDid(
  pds: TestPds,
  { did, handle }: Pick<TestUser, 'did' | 'handle'>,
  token: string | undefined,
  more: object = {},
): Promise<AtpAgent> {
  const agent = strangerTo(pds)
  const input = {
    did,
    handle,
    email: `${handle.replace('.test', '')}@moved.example`,
    password: 'new password',
  }
  const headers = token === undefined ? undefined : { authorization: `Bearer ${token}` }
  const { data } = await agent.com.atproto.server.createAccount({ ...input, ...more }, { headers })
  await agent.resumeSession({ ...data, active: true })
  return agent
}

/** A token for the account's move to another host. */
export async function movingToken(agent: AtpAgent, aud: string): Promise<string> {
  const lxm = 'com.atproto.server.createAccount'
  return (await agent.com.atproto.server.getServiceAuth({ aud, lxm })).data.token
}

/** The database of a PDS, to be looked at. */
export function inside<T>(pds: { folder: string }, look: (db: Sqlite3.Database) => T): T {
  const db = new Sqlite3(path.join(pds.folder, 'atoll.sqlite'), { readonly: true })
  try {
    return look(db)
  } finally {
    db.close()
  }
}

/** Every event that the firehose tells now, from its beginning on. */
export async function allEvents(pds: { url: string; folder: string }): Promise<RepoEvent[]> {
  const seqs = inside(pds, (db) => db.prepare<[], number>('SELECT seq FROM event ORDER BY seq').pluck().all())
  const tip = seqs.at(-1)
  if (tip === undefined) return []
  using subscriber = await Subscriber.connect(pds.url, 0)
  await subscriber.seq(tip)
  return subscriber.frames.map((frame) => decodeFrame(frame) as RepoEvent)
}

/** Every event that the firehose tells of a DID now. */
export async function eventsOf(pds: { url: string; folder: string }, did: string): Promise<RepoEvent[]> {
  return (await allEvents(pds)).filter(
    (event) => ('repo' in event ? event.repo : 'did' in event ? event.did : undefined) === did,
  )
}

export const kindsOf = (events: readonly RepoEvent[]): string[] => events.map(({ kind }) => kind)
