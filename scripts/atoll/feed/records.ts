/**
 * A feed's two records, which have one key for ever, since people's likes and pins point at it:
 * `app.bsky.feed.generator`, which makes the feed known and names the host that serves it, and the
 * definition of its algorithm. They change together, in one commit.
 */
import { AtpAgent, ComAtprotoRepoApplyWrites, ComAtprotoRepoGetRecord } from '@atproto/api'
import { ALGORITHM_NSID } from '../../../feedgen/algorithm/definition.ts'
import { ask } from '../../ask.ts'
import { CommandError } from '../../command.ts'
import type { Account } from '../network.ts'
import { feedUris, GENERATOR_NSID } from './reference.ts'

/**
 * How often a change is tried again because something else was written to the repository meanwhile.
 */
const attemptsMax = 5
const pageItems = 100

export type RecordValue = Record<string, unknown>

export interface StoredRecord {
  uri: string
  cid: string
  value: RecordValue
}

/** The records of a feed, as far as they are there. */
export interface FeedRecords {
  generator?: StoredRecord
  algorithm?: StoredRecord
}

/** What the records of a feed are to be; one that is absent is to go. */
export interface WantedRecords {
  generator?: RecordValue
  algorithm?: RecordValue
}

/** The DID of the feed generator that a feed's record names. */
export function hostOf(generator: StoredRecord | undefined): string | undefined {
  const did = generator?.value.did
  return typeof did === 'string' ? did : undefined
}

export interface Change {
  /** The URI of the feed. */
  uri: string
  outcome: 'created' | 'updated' | 'unchanged' | 'removed' | 'absent'
  /** What the records were, and are. */
  before: FeedRecords
  after: WantedRecords
}

/** Reads the records of anybody's feed. */
export async function readFeed(account: Account, rkey: string): Promise<FeedRecords> {
  const agent = new AtpAgent({ service: account.pds })
  return read(agent, account.did, rkey)
}

/** All feeds of an account, by their keys, in the order of these. */
export async function listFeeds({ did, pds }: Account): Promise<Map<string, FeedRecords>> {
  const agent = new AtpAgent({ service: pds })
  const feeds = new Map<string, FeedRecords>()
  for (const [kind, collection] of [
    ['generator', GENERATOR_NSID],
    ['algorithm', ALGORITHM_NSID],
  ] as const) {
    let cursor: string | undefined
    do {
      const answer = agent.com.atproto.repo.listRecords({ repo: did, collection, limit: pageItems, cursor })
      const { data } = await ask(`list the feeds of ${did}`, pds, answer)
      for (const { uri, cid, value } of data.records) {
        const rkey = uri.slice(uri.lastIndexOf('/') + 1)
        feeds.set(rkey, { ...feeds.get(rkey), [kind]: { uri, cid, value: value as RecordValue } })
      }
      cursor = data.cursor
    } while (cursor !== undefined)
  }
  return new Map([...feeds].sort(([a], [b]) => (a < b ? -1 : 1)))
}

/**
 * Changes a feed of the account that is signed in, both records in one commit. When something else
 * is written to the repository between reading and writing, it begins anew.
 * @param change what the records are to be, from what they are
 */
export async function changeFeed(
  agent: AtpAgent,
  rkey: string,
  change: (before: FeedRecords) => WantedRecords | Promise<WantedRecords>,
): Promise<Change> {
  const did = agent.assertDid
  const uri = feedUris({ did }, rkey).feed
  for (let attempt = 1; ; attempt++) {
    const head = agent.com.atproto.sync.getLatestCommit({ did })
    const { cid } = (await ask('read the repository', agent.serviceUrl, head)).data
    const before = await read(agent, did, rkey)
    const after = await change(before)
    const writes = writesOf(rkey, before, after)
    if (writes.length === 0) return { uri, outcome: before.generator ? 'unchanged' : 'absent', before, after }
    try {
      await write(agent, writes, cid)
      return { uri, outcome: outcomeOf(before, after), before, after }
    } catch (error) {
      const isInTheWay = error instanceof ComAtprotoRepoApplyWrites.InvalidSwapError
      if (!isInTheWay)
        return await ask(`change the records of ${uri}`, agent.serviceUrl, Promise.reject(error))
      if (attempt === attemptsMax) {
        throw new CommandError(
          `Something else writes to the repository all the time: ${uri} was not changed.`,
        )
      }
    }
  }
}

/** A definition's record, as old as the one that is there. */
export function algorithmOf({ algorithm }: FeedRecords, record: RecordValue): RecordValue {
  const createdAt = algorithm?.value.createdAt
  return createdAt === undefined ? record : { ...record, createdAt }
}

type Write = ComAtprotoRepoApplyWrites.InputSchema['writes'][number]

function writesOf(rkey: string, before: FeedRecords, after: WantedRecords): Write[] {
  return (
    [
      [GENERATOR_NSID, before.generator, after.generator],
      [ALGORITHM_NSID, before.algorithm, after.algorithm],
    ] as const
  ).flatMap(([collection, there, wanted]): Write[] => {
    const type = 'com.atproto.repo.applyWrites' as const
    if (wanted === undefined) return there ? [{ $type: `${type}#delete`, collection, rkey }] : []
    const value = { ...wanted, $type: collection }
    if (!there) return [{ $type: `${type}#create`, collection, rkey, value }]
    return isSame(there.value, value) ? [] : [{ $type: `${type}#update`, collection, rkey, value }]
  })
}

function outcomeOf(before: FeedRecords, after: WantedRecords): Change['outcome'] {
  if (!after.generator && !after.algorithm) return 'removed'
  return before.generator ? 'updated' : 'created'
}

async function write(agent: AtpAgent, writes: Write[], swapCommit: string): Promise<void> {
  await agent.com.atproto.repo.applyWrites({ repo: agent.assertDid, writes, swapCommit })
}

async function read(agent: AtpAgent, repo: string, rkey: string): Promise<FeedRecords> {
  const [generator, algorithm] = await Promise.all([
    readRecord(agent, repo, GENERATOR_NSID, rkey),
    readRecord(agent, repo, ALGORITHM_NSID, rkey),
  ])
  return { ...(generator && { generator }), ...(algorithm && { algorithm }) }
}

async function readRecord(
  agent: AtpAgent,
  repo: string,
  collection: string,
  rkey: string,
): Promise<StoredRecord | undefined> {
  const answer = agent.com.atproto.repo.getRecord({ repo, collection, rkey }).catch((error) => {
    if (error instanceof ComAtprotoRepoGetRecord.RecordNotFoundError) return undefined
    throw error
  })
  const found = await ask(`read at://${repo}/${collection}/${rkey}`, agent.serviceUrl, answer)
  return found && { uri: found.data.uri, cid: found.data.cid ?? '', value: found.data.value as RecordValue }
}

/**
 * Whether two records are the same data, whatever the order of their fields. Blobs are compared as
 * the JSON that they came as.
 */
export function isSame(a: unknown, b: unknown): boolean {
  return canonical(a) === canonical(b)
}

function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, part) =>
    part !== null && typeof part === 'object' && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([x], [y]) => (x < y ? -1 : 1)))
      : part,
  )
}
