/**
 * What the feed generator's index must hold, told from the repositories of the PDS that it follows,
 * beside what it holds.
 */
import Database from 'better-sqlite3'
import { type CborObject, type CborValue, decode, isMap } from '#protocol/cbor.ts'
import { formatCid } from '#protocol/cid.ts'
import { decodeFrame } from '#protocol/frame.ts'
import { dump } from '../feedgen/support.ts'
import type { AccountData, PdsData } from './invariants.ts'

type Row = Record<string, unknown>

/** What each table holds, in words. */
export type IndexTables = Record<(typeof tables)[number], Row[]>

/**
 * What the index holds of the records that are written here; `actors` are those that are not
 * active.
 */
const tables = ['posts', 'likes', 'reposts', 'follows', 'engagement', 'actors', 'repos', 'cursors'] as const

/** What an index holds that nobody writes to. */
export function readIndex(file: string): IndexTables {
  const held = dump(file)
  return inOrder((table) => held[table] as Row[])
}

/** How far the endpoint was followed; 0 while there is no index. */
export function readCursor(file: string): number {
  try {
    const database = new Database(file, { readonly: true })
    try {
      return (database.prepare('SELECT max(seq) FROM cursors').pluck().get() as number | null) ?? 0
    } finally {
      database.close()
    }
  } catch {
    return 0
  }
}

/** The rows that follow from the records. */
export function expectedIndex({ accounts, sequence }: PdsData, endpoint: string): IndexTables {
  const rows = inOrder(() => [])
  for (const account of accounts.values()) {
    rows.repos.push({
      did: account.did,
      rev: account.head!.rev,
      data: formatCid(account.head!.data),
      jumped: 0,
    })
    addRecords(account, rows)
  }
  rows.cursors.push({ endpoint, seq: sequence })
  rows.engagement.push(...engagementOf(rows))
  const engaged = new Map(rows.engagement.map((row) => [row.subject, row]))
  for (const post of rows.posts) post.tier = tierOf(engaged.get(post.uri))
  return inOrder((table) => rows[table])
}

function addRecords({ did, records, events }: AccountData, rows: IndexTables): void {
  const times = new Map<string, number>()
  for (const event of events.map(({ frame }) => decodeFrame(frame))) {
    if (event.kind === 'commit') times.set(event.rev, Date.parse(event.time))
  }
  for (const [path, { rev, block }] of records) {
    const uri = `at://${did}/${path}`
    const record = decode(block) as CborObject
    const seen_at = times.get(rev)!
    const sort_at = Math.min(Date.parse(record.createdAt as string), seen_at)
    const edge = { uri, author: did, subject: uriIn(record.subject) }
    switch (record.$type) {
      case 'app.bsky.feed.post': {
        const reply = mapIn(record.reply)
        const embed = mapIn(record.embed)
        const quote = embed?.$type === 'app.bsky.embed.record' ? uriIn(embed.record) : null
        const [reply_root, reply_parent] = [uriIn(reply?.root), uriIn(reply?.parent)]
        const hex = Buffer.from(block).toString('hex').toUpperCase()
        const post = { uri, author: did, sort_at, seen_at, reply_root, reply_parent, quote, record: hex }
        rows.posts.push({ ...post, tier: 0, unsure: 0 })
        break
      }
      case 'app.bsky.feed.like':
        rows.likes.push(edge)
        break
      case 'app.bsky.feed.repost':
        rows.reposts.push({ ...edge, sort_at, unsure: 0 })
        break
      case 'app.bsky.graph.follow':
        rows.follows.push({ ...edge, subject: record.subject })
        break
    }
  }
}

/** Likes and reposts count people, replies and quotes count posts. */
function engagementOf({ posts, likes, reposts }: IndexTables): Row[] {
  const counts = new Map<unknown, Record<string, number>>()
  const count = (subject: unknown, what: string) => {
    const row = counts.get(subject) ?? { likes: 0, reposts: 0, replies: 0, quotes: 0 }
    counts.set(subject, { ...row, [what]: row[what]! + 1 })
  }
  for (const [what, edges] of Object.entries({ likes, reposts })) {
    const people = new Map(edges.map(({ author, subject }) => [`${author} ${subject}`, subject]))
    for (const subject of people.values()) count(subject, what)
  }
  for (const { reply_parent, quote } of posts) {
    if (reply_parent !== null) count(reply_parent, 'replies')
    if (quote !== null) count(quote, 'quotes')
  }
  return [...counts].map(([subject, row]) => ({ subject, ...row }))
}

/**
 * 0 for none, then one more for each time that four times as much was done: 1 to 3, 4 to 15, ...
 */
function tierOf(row: Row | undefined): number {
  if (row === undefined) return 0
  const { likes, reposts, replies, quotes } = row as Record<string, number>
  let tier = 1
  for (let total = likes! + reposts! + replies! + quotes!; total >= 4; total /= 4) tier++
  return tier
}

function inOrder(rowsOf: (table: keyof IndexTables) => Row[]): IndexTables {
  const byText = (a: string, b: string) => (a < b ? -1 : 1)
  const text = (row: Row) => JSON.stringify(Object.entries(row).sort(([a], [b]) => byText(a, b)))
  const sorted = (rows: Row[]) => rows.toSorted((a, b) => byText(text(a), text(b)))
  return Object.fromEntries(tables.map((table) => [table, sorted(rowsOf(table))])) as IndexTables
}

const mapIn = (value: CborValue | undefined) => (value !== undefined && isMap(value) ? value : undefined)
const uriIn = (value: CborValue | undefined) => (mapIn(value)?.uri as string | undefined) ?? null
