/**
 * A large index for the benchmark, made of rows and not of events: communities whose members like
 * each other's posts, and posts that everybody likes.
 */
import Sqlite from 'better-sqlite3'
import { encode } from '#protocol/cbor.ts'
import { openIndex } from '../../../feedgen/index/database.ts'
import { tierOf } from '../../../feedgen/index/schema.ts'

export interface IndexSize {
  posts: number
  likes: number
}

/** Posts are spread evenly over so much time before now. */
const windowHours = 48
const likesPerAccount = 100
/** Members of one community. */
const communityAccounts = 100
/** Of ten likes, so many stay in the community. */
const likesInsideOfTen = 7
const HOUR_MS = 3_600_000

/** The secondary indexes that are made once the rows are there. */
const tablesFilled = ['posts', 'likes']

/**
 * Makes the index.
 * @param first the DIDs of the first accounts; the others are made up
 */
export async function loadIndex(file: string, { posts, likes }: IndexSize, first: string[]): Promise<void> {
  await (await openIndex(file))[Symbol.asyncDispose]()
  const db = new Sqlite(file)
  try {
    db.pragma('journal_mode = OFF')
    db.pragma('synchronous = OFF')
    db.pragma('cache_size = -262144')
    const later = db
      .prepare(
        `select name, sql from sqlite_master where type = 'index' and sql is not null and tbl_name in (${tablesFilled.map(() => '?')})`,
      )
      .all(tablesFilled) as { name: string; sql: string }[]
    for (const { name } of later) db.exec(`drop index ${name}`)
    const accounts = Math.max(first.length, Math.ceil(likes / likesPerAccount))
    const size = { posts, likes, accounts }
    db.transaction(() => {
      addAccounts(db, accounts, first)
      addPosts(db, size, addLikes(db, size))
    })()
    for (const { sql } of later) db.exec(sql)
    db.exec('analyze')
    db.pragma('journal_mode = WAL')
  } finally {
    db.close()
  }
}

type Size = IndexSize & { accounts: number }

function addAccounts(db: Sqlite.Database, count: number, first: readonly string[]): void {
  const insert = db.prepare('insert into accounts (id, did) values (?, ?)')
  for (let id = 1; id <= count; id++) insert.run(id, first[id - 1] ?? `did:plc:${rkeyOf(id)}`)
}

/** How often each post is liked; posts are numbered from 1. */
function addLikes(db: Sqlite.Database, { posts, likes, accounts }: Size): Uint32Array {
  const counts = new Uint32Array(posts + 1)
  const insert = db.prepare('insert into likes (author, rkey, subject) values (?, ?, ?)')
  let left = likes
  for (let author = 1; author <= accounts && left > 0; author++) {
    const liked = new Set<number>()
    for (let i = 0; i < likesPerAccount; i++) liked.add(likedPost(author, { posts, accounts }))
    for (const post of liked) {
      insert.run(author, rkeyOf(likes - left--), post)
      counts[post] = (counts[post] as number) + 1
    }
  }
  return counts
}

/**
 * The post's number modulo the number of accounts tells its author, so a community's posts lie
 * scattered over all of time.
 */
function likedPost(author: number, { posts, accounts }: { posts: number; accounts: number }): number {
  const popular = Math.ceil(posts * Math.random() ** 4)
  if (Math.random() * 10 >= likesInsideOfTen) return Math.min(1 + popular, posts)
  const community = author - (author % communityAccounts)
  const member = community + Math.floor(communityAccounts * Math.random() ** 2)
  const round = Math.floor((posts / accounts) * Math.random())
  return Math.min(Math.max(1, round * accounts + member), posts)
}

function addPosts(db: Sqlite.Database, { posts, accounts }: Size, counts: Uint32Array): void {
  const insertPost = db.prepare(
    'insert into posts (id, author, rkey, present, sort_at, seen_at, likes, tier) values (?, ?, ?, 1, ?, ?, ?, ?)',
  )
  const insertRecord = db.prepare('insert into records (post, record) values (?, ?)')
  const now = Date.now()
  for (let id = 1; id <= posts; id++) {
    // The numbers are shuffled over time, so that popular posts are of any age.
    const age = ((id * 7919) % posts) / posts
    const at = Math.floor(now - age * windowHours * HOUR_MS)
    const likes = counts[id] as number
    const tier = tierOf({ likes, reposts: 0, replies: 0, quotes: 0 })
    insertPost.run(id, (id % accounts) + 1, rkeyOf(id), at, at, likes, tier)
    const createdAt = new Date(at).toISOString()
    insertRecord.run(
      id,
      encode({ $type: 'app.bsky.feed.post', text: `post ${id}`, langs: ['en'], createdAt }),
    )
  }
}

/** Thirteen characters, in the order of the numbers. */
function rkeyOf(number: number): string {
  return number.toString(32).padStart(13, '0')
}
