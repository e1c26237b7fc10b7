/**
 * Ingest of the same frames by Atoll's own pieces and in the official kit's way: events a second.
 */
import { schemas } from '@atproto/api'
import { Lexicons } from '@atproto/lexicon'
import { cborToLexRecord, readCar } from '@atproto/repo'
import { Frame, type MessageFrame } from '@atproto/xrpc-server'
import Sqlite from 'better-sqlite3'
import { Kysely, SqliteDialect } from 'kysely'
import { compile } from '../../../feedgen/algorithm/compile.ts'
import { readDefinition } from '../../../feedgen/algorithm/read.ts'
import { Matcher } from '../../../feedgen/feeds/matcher.ts'
import { Counts } from '../../../feedgen/firehose/counts.ts'
import { RepoStream } from '../../../feedgen/firehose/subscribe-repos.ts'
import { AuthorKeys } from '../../../feedgen/identity/identity-cache.ts'
import { openIndex } from '../../../feedgen/index/database.ts'
import type { IndexEvent } from '../../../feedgen/index/writer.ts'
import type { Firehose } from './firehose.ts'

/** As the line writes them. */
const batchEvents = 500

/** A matcher of so many definitions, each with a word of its own. */
export function matcherOf(count: number): Matcher {
  const matcher = new Matcher()
  for (let i = 0; i < count; i++) {
    const definition = readDefinition({
      $type: 'social.atoll.feed.algorithm',
      sources: [{ $type: 'social.atoll.feed.sources#network', windowHours: 48 }],
      where: {
        $type: 'social.atoll.feed.where#text',
        words: [`topic${i}`, `theme${i}`],
        in: ['text', 'alt'],
      },
      score: { order: 'newest' },
      createdAt: '2026-11-01T00:00:00.000Z',
    })
    const { intake } = compile(definition)
    if (intake) matcher.set(i + 1, intake)
  }
  return matcher
}

/** Atoll: frames in, an index out. */
export async function ingestAtoll(
  { frames, authors }: Firehose,
  { file, trusted, definitions }: { file: string; trusted: boolean; definitions: number },
): Promise<number> {
  const documents = new Map(authors.map(({ did, document }) => [did, document]))
  const keys = new AuthorKeys({
    plcUrl: 'http://directory.test',
    fetch: async (input) => {
      const did = decodeURIComponent(new URL(String(input)).pathname.slice(1))
      return Response.json(documents.get(did))
    },
  })
  for (const { did } of authors) await keys.get(did)
  await using index = await openIndex(file)
  const matcher = matcherOf(definitions)
  index.writer.matchWith((features) => matcher.match(features))
  const counts = new Counts()
  const endpoint = 'ws://relay.test'
  const stream = new RepoStream({ endpoint, trusted, serviceDid: 'did:web:feeds.test', keys, counts })
  const { signal } = new AbortController()
  const began = performance.now()
  // One batch is written while the next is prepared, as on the line.
  let writing: Promise<unknown> = Promise.resolve()
  for (let from = 0; from < frames.length; from += batchEvents) {
    const events: IndexEvent[] = []
    for (const frame of frames.slice(from, from + batchEvents)) {
      const reading = stream.read(frame, signal)
      if (typeof reading === 'string') throw new Error(`a frame that is ${reading}`)
      const prepared = await reading.prepared
      if (typeof prepared !== 'object' || prepared === null) throw new Error('an event that was passed over')
      events.push(prepared)
    }
    await writing
    writing = index.writer.apply(events, { endpoint, seq: from + events.length })
  }
  await writing
  return rateOf(frames.length, began)
}

interface KitSchema {
  post: { uri: string; cid: string; indexedAt: string }
}

/**
 * The official kit's way: every frame and record through the generic library, each post a row
 * inserted alone.
 */
export async function ingestKit({ frames }: Firehose, { file }: { file: string }): Promise<number> {
  const lexicons = new Lexicons(schemas)
  const db = new Kysely<KitSchema>({ dialect: new SqliteDialect({ database: new Sqlite(file) }) })
  await db.schema
    .createTable('post')
    .addColumn('uri', 'varchar', (column) => column.primaryKey())
    .addColumn('cid', 'varchar', (column) => column.notNull())
    .addColumn('indexedAt', 'varchar', (column) => column.notNull())
    .execute()
  const began = performance.now()
  for (const bytes of frames) {
    const { body } = Frame.fromBytes(bytes) as MessageFrame
    const event = {
      $type: 'com.atproto.sync.subscribeRepos#commit',
      ...(body as object),
    } as unknown as KitCommit
    lexicons.assertValidXrpcMessage('com.atproto.sync.subscribeRepos', event)
    const { blocks } = await readCar(event.blocks)
    for (const op of event.ops) {
      if (op.action !== 'create') continue
      const type = op.path.split('/', 1)[0] as string
      const block = [...blocks.entries()].find(({ cid }) => cid.toString() === op.cid.toString())
      const record = cborToLexRecord((block as { bytes: Uint8Array }).bytes)
      lexicons.assertValidRecord(type, record)
      if (type !== 'app.bsky.feed.post') continue
      await db
        .insertInto('post')
        .values({
          uri: `at://${event.repo}/${op.path}`,
          cid: op.cid.toString(),
          indexedAt: new Date().toISOString(),
        })
        .onConflict((conflict) => conflict.doNothing())
        .execute()
    }
  }
  const rate = rateOf(frames.length, began)
  await db.destroy()
  return rate
}

interface KitCommit {
  repo: string
  blocks: Uint8Array
  ops: { action: string; path: string; cid: { toString(): string } }[]
}

function rateOf(events: number, began: number): number {
  return events / ((performance.now() - began) / 1000)
}
