/**
 * Records an index with definitions and posts whose tags, languages, hosts and expressions are
 * written as an earlier version took them: `node test/upgrade/record-forms.ts VERSION` writes
 * `test/upgrade/VERSION/forms.sqlite.gz` and `forms.json`. To record what a version of before
 * wrote, it is run in a checkout of that version.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { gzipSync } from 'node:zlib'
import Sqlite from 'better-sqlite3'
import { eventually, startFeedgen } from '../feedgen/support.ts'
import { Author } from '../support/author.ts'
import { startDirectory } from '../support/directory.ts'
import { temporaryFolder } from '../support/processes.ts'
import { startRelay } from '../support/relay.ts'

const version = process.argv[2]
if (version === undefined) throw new Error('usage: node test/upgrade/record-forms.ts VERSION')

const SERVICE = 'did:web:forms.test'
const ALGORITHM = 'social.atoll.feed.algorithm'
const where = (kind: string, fields: object) => ({ $type: `social.atoll.feed.where#${kind}`, ...fields })
const source = (kind: string, fields: object) => ({
  $type: `social.atoll.feed.sources#${kind}`,
  windowHours: 168,
  ...fields,
})

/** What is posted, by a name for each; times are a minute apart. */
const posts: Record<string, object> = {
  facet: {
    text: 'a picture #Art',
    facets: [
      {
        index: { byteStart: 10, byteEnd: 14 },
        features: [{ $type: 'app.bsky.richtext.facet#tag', tag: 'Art' }],
      },
    ],
    langs: ['en'],
  },
  beside: { text: 'another one', tags: ['#art'], langs: ['en-us'] },
  underscore: { text: 'um quadro', langs: ['pt_BR'] },
  european: { text: 'outro quadro', langs: ['pt-PT'] },
  card: {
    text: 'read this',
    embed: {
      $type: 'app.bsky.embed.external',
      external: { uri: 'https://www.example.com/story', title: 'Story', description: '' },
    },
  },
  cat: { text: 'вот кот и дом', langs: ['ru'] },
  match: { text: 'терракот', langs: ['ru'] },
}

/** The definitions, under their keys. */
const definitions: Record<string, object> = {
  'tags-source': { sources: [source('tags', { tags: ['#art'] })] },
  'tags-filter': { sources: [source('network', {})], where: where('tag', { any: ['#Art'] }) },
  american: { sources: [source('network', {})], where: where('lang', { any: ['en-US'] }) },
  portuguese: { sources: [source('network', {})], where: where('lang', { any: ['pt-BR', 'pt-PT'] }) },
  host: { sources: [source('network', {})], where: where('domain', { any: ['https://example.com/'] }) },
  expression: {
    sources: [source('network', {})],
    where: where('text', { regex: '(?i)\\bкот\\b' }),
  },
  plain: { sources: [source('network', {})], where: where('text', { words: ['picture'] }) },
}

const folder = path.join(import.meta.dirname, version)
mkdirSync(folder, { recursive: true })
using temporary = temporaryFolder()
const file = path.join(temporary.path, 'forms.sqlite')
await using directory = await startDirectory()
await using relay = await startRelay()
const [creator, writer] = [new Author().register(directory), new Author().register(directory)]
const uris: Record<string, string> = {}
const feeds: Record<string, { uri: string; before: string[] }> = {}
{
  await using feedgen = await startFeedgen({
    endpoints: [relay.url],
    plcUrl: directory.url,
    serviceDid: SERVICE,
    publishers: { dids: [creator.did], hosts: [] },
    sqliteLocation: file,
  })
  const createdAt = new Date().toISOString()
  for (const [rkey, definition] of Object.entries(definitions)) {
    const generator = { did: SERVICE, displayName: rkey, createdAt }
    const record = { $type: ALGORITHM, score: { order: 'newest' }, createdAt, ...definition }
    relay.emit(
      creator.commit({ [`${ALGORITHM}/${rkey}`]: record, [`app.bsky.feed.generator/${rkey}`]: generator }),
    )
    feeds[rkey] = { uri: creator.uri(`app.bsky.feed.generator/${rkey}`), before: [] }
  }
  let last = 0
  for (const [i, [name, post]] of Object.entries(posts).entries()) {
    const at = new Date(Date.now() - i * 60_000).toISOString()
    const { uri, event } = writer.post('', { ...post, createdAt: at })
    uris[name] = uri
    last = relay.emit(event)
  }
  await feedgen.reached(relay.url, last)
  const shown = async (feed: string) => {
    const { body } = await feedgen.get('app.bsky.feed.getFeedSkeleton', { feed })
    return body.feed?.map(({ post }: { post: string }) => post) as string[] | undefined
  }
  const plain = feeds.plain?.uri as string
  await eventually(async () => (await shown(plain))?.length === 1)
  for (const feed of Object.values(feeds)) feed.before = (await shown(feed.uri)) ?? []
}
const db = new Sqlite(file)
db.pragma('wal_checkpoint(TRUNCATE)')
db.exec('VACUUM')
db.pragma('wal_checkpoint(TRUNCATE)')
db.close()
writeFileSync(path.join(folder, 'forms.sqlite.gz'), gzipSync(readFileSync(file), { level: 9 }))
const world = { endedAtMs: Date.now(), serviceDid: SERVICE, posts: uris, feeds }
writeFileSync(path.join(folder, 'forms.json'), `${JSON.stringify(world, null, 2)}\n`)
