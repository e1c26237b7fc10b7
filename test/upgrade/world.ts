/**
 * What a recorded world is, and what it looks like from outside. `record.ts` makes one with the
 * code of its day; `upgrade.test.ts` opens its data folders with the code of today.
 *
 * A folder here is named for the version that wrote it: `pds/` is its data folder, `plc.sqlite` the
 * directory that its accounts are in, `feedgen.sqlite` and `feedgen.postgres.json` the feed
 * generator's index in both stores.
 */
import { createHash } from 'node:crypto'
import { AtpAgent } from '@atproto/api'
import type { JWK } from 'jose'
import { decodeFrame } from '#protocol/frame.ts'
import { operatorOf } from '../pds/accounts/support.ts'
import { Subscriber } from '../support/subscriber.ts'

/**
 * Issuer and addresses carry the port, so a recorded world is served at the port it was recorded
 * at.
 */
export const PORT = 25_830
export const PDS_URL = `http://localhost:${PORT}`
export const FEEDGEN_DID = 'did:web:feeds.test'

/** Stands for the colons of DIDs in the names of recorded files. */
export const COLON = '%3A'

/**
 * On top of a test PDS's environment. Nobody answers at the AppView; it makes `app.bsky` methods
 * served.
 */
export const pdsEnvironment = {
  PDS_PORT: String(PORT),
  PDS_BSKY_APP_VIEW_URL: 'http://localhost:9',
  PDS_BSKY_APP_VIEW_DID: 'did:web:app-view.test',
}

export interface RecordedWorld {
  /** When the recording ended, in milliseconds since 1970. */
  readonly endedAtMs: number
  readonly accounts: Readonly<
    Record<'alice' | 'bob' | 'carol' | 'dave' | 'erin' | 'frank', { did: string; handle: string }>
  >
  readonly sessions: {
    /** Of alice's password. */
    readonly password: Session
    /** Was exchanged for `successor`, whose answer may have been lost. */
    readonly exchanged: Session
    readonly successor: Session
    readonly appPassword: Session
    readonly privileged: Session
  }
  readonly appPassword: string
  /**
   * Of an app that alice signed in to with OAuth; `used` is a refresh token that was exchanged
   * already.
   */
  readonly oauth: {
    readonly clientId: string
    readonly accessToken: string
    readonly refreshToken: string
    readonly used: string
    readonly dpopJwk: JWK
  }
  /** The cookies of the browser that alice is signed in on. */
  readonly cookies: string
  /** A code to reset erin's password, mailed minutes before the end. */
  readonly mailedCode: string
  /** Of bob, who signs in with an authenticator app. */
  readonly authenticator: { readonly secretBase32: string; readonly backupCodes: readonly string[] }
  readonly reservedKey: { readonly did: string; readonly signingKey: string }
  readonly inviteCode: string
  readonly preferences: readonly object[]
  readonly pds: PdsView
  /** Pages of the feed generator over each store. */
  readonly feeds: Readonly<Record<'sqlite' | 'postgres', readonly FeedView[]>>
}

export interface Session {
  readonly accessJwt: string
  readonly refreshJwt: string
}

/** Everything of a PDS that anybody, or its operator, sees. */
export interface PdsView {
  readonly repos: unknown
  readonly accounts: readonly unknown[]
  readonly events: readonly { seq: number; sha256: string }[]
}

/** A page of a feed, as somebody or nobody sees it. */
export interface FeedView {
  readonly feed: string
  readonly viewer: boolean
  readonly posts: readonly string[]
}

export const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

/** Looks at all of a PDS: repositories, records, blobs, accounts, events up to `lastSeq`. */
export async function viewOfPds(
  pds: { url: string },
  dids: readonly string[],
  lastSeq: number,
): Promise<PdsView> {
  const { sync, repo } = new AtpAgent({ service: pds.url }).com.atproto
  const operator = operatorOf(pds)
  const accounts: unknown[] = []
  for (const did of dids) {
    const status = await answer(sync.getRepoStatus({ did }))
    const described = await answer(repo.describeRepo({ repo: did }))
    const collections = (described as { collections?: string[] }).collections ?? []
    const records: unknown[] = []
    for (const collection of collections)
      records.push(await answer(repo.listRecords({ repo: did, collection, limit: 100 })))
    const archive = await answer(sync.getRepo({ did }))
    const blobs = (await answer(sync.listBlobs({ did }))) as { cids?: string[] }
    const blobBytes = await Promise.all((blobs.cids ?? []).map((cid) => answer(sync.getBlob({ did, cid }))))
    const info = (await answer(operator.admin.getAccountInfo({ did }))) as Record<string, unknown>
    const subject = await answer(operator.admin.getSubjectStatus({ did }))
    accounts.push({ did, status, described, records, archive, blobs, blobBytes, info, subject })
  }
  return {
    repos: await answer(sync.listRepos({})),
    accounts: JSON.parse(JSON.stringify(accounts)),
    events: await eventsOf(pds, lastSeq),
  }
}

/** What a call gives: its data, bytes as their hash, or its error's name. */
async function answer(call: Promise<{ data: unknown }>): Promise<unknown> {
  try {
    const { data } = await call
    return data instanceof Uint8Array ? { sha256: sha256(data), bytes: data.length } : data
  } catch (error) {
    const { status, error: name } = error as { status: number; error: string }
    return { status, error: name }
  }
}

/** The frames from the first to the one with this `seq`. */
async function eventsOf(pds: { url: string }, lastSeq: number): Promise<PdsView['events']> {
  using subscriber = await Subscriber.connect(pds.url, 0)
  await subscriber.seq(lastSeq)
  return subscriber.frames.map((frame) => ({
    seq: (decodeFrame(frame) as { seq: number }).seq,
    sha256: sha256(frame),
  }))
}
