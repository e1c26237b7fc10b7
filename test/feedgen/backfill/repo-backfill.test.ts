/** What is fetched is older than what is heard meanwhile. */
import { expect, onTestFinished, test } from 'vitest'
import { encode } from '#protocol/cbor.ts'
import { cidForCbor } from '#protocol/cid.ts'
import { TidClock } from '#protocol/tid.ts'
import type { FetchedRecord } from '../../../feedgen/backfill/pds-client.ts'
import { Past } from '../../../feedgen/backfill/repo-backfill.ts'
import { openIndex } from '../../../feedgen/index/database.ts'
import { randomPlcDid, reference } from '../../support/author.ts'
import { rejection } from '../../support/pds.ts'
import { temporaryFolder } from '../../support/processes.ts'
import { SERVICE_DID } from '../support.ts'
import { rows } from '../tables.ts'

const LIKE = 'app.bsky.feed.like'
const clock = new TidClock()

/** A like of some post. */
function like(rkey = clock.next()): FetchedRecord {
  const subject = reference(`at://${randomPlcDid()}/app.bsky.feed.post/3kaaaaaaaaaaa`)
  const block = encode({ $type: LIKE, subject, createdAt: '2026-01-01T00:00:00Z' })
  return { path: `${LIKE}/${rkey}`, cid: cidForCbor(block), block }
}

async function stage() {
  const folder = temporaryFolder()
  const file = `${folder.path}/index.sqlite`
  const index = await openIndex(file)
  onTestFinished(async () => {
    await index[Symbol.asyncDispose]()
    folder[Symbol.dispose]()
  })
  const did = randomPlcDid()
  return {
    did,
    index: index.writer,
    likes: () =>
      rows<{ rkey: string }>(file, 'select rkey from likes order by rkey').map(
        ({ rkey }) => `${LIKE}/${rkey}`,
      ),
    /** Something is heard of the account. */
    hear: (removed: FetchedRecord[] = []) =>
      index.writer.apply([
        {
          kind: 'commit',
          did,
          rev: clock.next(),
          changes: removed.map(({ path }) => ({ table: 'likes', uri: `at://${did}/${path}`, row: null })),
        },
      ]),
  }
}

const never = async () => {
  throw new Error('not asked for here')
}
const signal = new AbortController().signal

test('a record deleted during its backfill does not come back', async () => {
  const { did, index, likes, hear } = await stage()
  const [kept, gone] = [like(), like()]
  let there = [gone, kept]
  let fetches = 0
  const past = new Past({
    index,
    serviceDid: SERVICE_DID,
    servers: {
      async page() {
        const records = there
        if (fetches++ === 0) {
          there = [kept]
          await hear([gone])
        }
        return { records, cursor: undefined }
      },
      record: never,
      repo: never,
    },
  })
  expect(await past.collection(did, LIKE, { recordsMax: 10 }, signal)).toEqual([kept])
  expect(likes()).toEqual([kept.path])
  expect(fetches).toBe(2)
})

test('a backfill stops at its count of records and at its age limit', async () => {
  const { did, index, likes } = await stage()
  const old = like('2222222222222')
  const all = Array.from({ length: 5 }, () => like()).reverse()
  let pages = 0
  const past = new Past({
    index,
    serviceDid: SERVICE_DID,
    servers: {
      page: async (_did, _collection, cursor) => {
        pages++
        return cursor === undefined ? { records: all, cursor: 'old' } : { records: [old], cursor: 'older' }
      },
      record: never,
      repo: never,
    },
  })
  await past.collection(did, LIKE, { recordsMax: 3 }, signal)
  expect(likes()).toHaveLength(3)
  expect(pages).toBe(1)
  await past.collection(did, LIKE, { recordsMax: 100, since: Date.now() - 3_600_000 }, signal)
  expect(likes()).toEqual(all.map(({ path }) => path).sort())
  expect(pages).toBe(3)
})

test('a repository whose rev is older than the indexed one fails with ServerError', async () => {
  const { did, index, likes, hear } = await stage()
  const past = new Past({
    index,
    serviceDid: SERVICE_DID,
    servers: {
      page: never,
      record: never,
      repo: async () => ({ rev: '2222222222222', data: 'x', records: [like()] }),
    },
  })
  await hear()
  expect(await rejection(past.repository(did))).toMatchObject({ name: 'ServerError' })
  expect(likes()).toEqual([])
})
