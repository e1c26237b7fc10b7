/** Who follows a viewer back is looked up within bounds. */
import { expect, onTestFinished, test } from 'vitest'
import { encode } from '#protocol/cbor.ts'
import { cidForCbor } from '#protocol/cid.ts'
import { TidClock } from '#protocol/tid.ts'
import { FOLLOWS_READ_MAX, fetchMutuals } from '../../../feedgen/backfill/mutuals.ts'
import { type FetchedRecord, NotThereError, ServerError } from '../../../feedgen/backfill/pds-client.ts'
import { Past } from '../../../feedgen/backfill/repo-backfill.ts'
import { openIndex } from '../../../feedgen/index/database.ts'
import { randomPlcDid } from '../../support/author.ts'
import { temporaryFolder } from '../../support/processes.ts'
import { SERVICE_DID } from '../support.ts'
import { rows } from '../tables.ts'

const FOLLOW = 'app.bsky.graph.follow'
const clock = new TidClock()
const signal = new AbortController().signal
const HOUR_MS = 3_600_000

function follow(subject: string): FetchedRecord {
  const block = encode({ $type: FOLLOW, subject, createdAt: '2026-01-01T00:00:00Z' })
  return { path: `${FOLLOW}/${clock.next()}`, cid: cidForCbor(block), block }
}

/** An index, and servers at which accounts follow each other. */
async function stage() {
  const folder = temporaryFolder()
  const file = `${folder.path}/index.sqlite`
  const index = await openIndex(file)
  onTestFinished(async () => {
    await index[Symbol.asyncDispose]()
    folder[Symbol.dispose]()
  })
  /** What the server of an account has: by page, or an error. */
  const servers = new Map<string, FetchedRecord[] | ((page: number) => FetchedRecord[]) | Error>()
  const asked: string[] = []
  const past = new Past({
    index: index.writer,
    serviceDid: SERVICE_DID,
    servers: {
      async page(did, _, cursor) {
        asked.push(did)
        const there = servers.get(did) ?? []
        if (there instanceof Error) throw there
        if (!(there instanceof Function)) return { records: there, cursor: undefined }
        const page = Number(cursor ?? 0)
        return { records: there(page), cursor: String(page + 1) }
      },
      record: () => expect.unreachable(),
      repo: () => expect.unreachable(),
    },
  })
  /** Somebody who was seen, and follows the accounts. */
  const viewer = async (followed: readonly string[]) => {
    const did = randomPlcDid()
    await index.pending.viewerAsked(did, { mutuals: true })
    const changes = followed.map((subject) => ({
      table: 'follows' as const,
      uri: `at://${did}/${FOLLOW}/${clock.next()}`,
      row: { subject },
    }))
    await index.writer.apply([{ kind: 'fetched', did, asOf: null, changes }])
    await index.pending.viewerFetched(did)
    return did
  }
  const lookUp = (did: string) => fetchMutuals({ past, pending: index.pending }, did, signal)
  const mutuals = async (did: string) => {
    const found = await index.facts.accounts([did])
    const accounts = await index.facts.graph(found.get(did) as number, 'mutuals', { limit: 99 })
    return [...(await index.facts.dids(accounts)).values()].sort()
  }
  return { file, index, servers, asked, viewer, lookUp, mutuals }
}

test('the follows of an account are read once for all viewers, and not again for a while, failed or not', async () => {
  const { index, servers, asked, viewer, lookUp, mutuals } = await stage()
  const [back, away, down, gone] = [randomPlcDid(), randomPlcDid(), randomPlcDid(), randomPlcDid()]
  const everybody = [back, away, down, gone]
  const [first, second] = [await viewer(everybody), await viewer(everybody)]
  servers.set(back, [follow(first), follow(away), follow(second)])
  servers.set(down, new ServerError('the server is down'))
  servers.set(gone, new NotThereError('RepoNotFound'))
  expect(await lookUp(first)).toBe(true)
  expect(await mutuals(first)).toEqual([back])
  expect(asked.toSorted()).toEqual(everybody.toSorted())
  expect(await lookUp(second)).toBe(true)
  expect(await mutuals(second)).toEqual([back])

  // Who comes later waits until the accounts may be read again; those that could be read before are
  // not read for the others.
  const third = await viewer(everybody)
  servers.set(back, [follow(first), follow(third)])
  expect(await lookUp(third)).toBe(true)
  expect(asked).toHaveLength(everybody.length)
  const unread = (did: string) =>
    index.pending.followsUnread(did, { newest: 99, before: Date.now() + HOUR_MS })
  expect((await unread(first)).sort()).toEqual([down, gone].sort())
  expect((await unread(third)).sort()).toEqual(everybody.toSorted())
  // Of one who is a viewer everything is there.
  await index.pending.viewerAsked(away)
  await index.pending.viewerFetched(away)
  expect((await unread(third)).sort()).toEqual([back, down, gone].sort())
})

test('the follows read of an account are bounded, however its PDS pages', async () => {
  const { file, servers, asked, viewer, lookUp } = await stage()
  const [full, sparse, empty] = [randomPlcDid(), randomPlcDid(), randomPlcDid()]
  const did = await viewer([full, sparse, empty])
  const strangers = (count: number) => Array.from({ length: count }, () => follow(randomPlcDid()))
  const page = strangers(100)
  servers.set(full, () => page)
  servers.set(sparse, () => page.slice(0, 1))
  servers.set(empty, () => [])
  expect(await lookUp(did)).toBe(true)
  const requests = (account: string) => asked.filter((other) => other === account).length
  expect(requests(full)).toBe(FOLLOWS_READ_MAX / 100)
  expect(requests(sparse)).toBe(FOLLOWS_READ_MAX / 25)
  expect(requests(empty)).toBe(FOLLOWS_READ_MAX / 25)
  expect(rows(file, 'select 1 from follows')).toHaveLength(3)
})

test('the mutuals of a viewer are read again on a request a day later', async () => {
  const { index, viewer } = await stage()
  const did = await viewer([])
  const wanted = (ageMs: number) => index.pending.mutualsWanted(9, Date.now() - ageMs)
  expect(await wanted(0)).toEqual([did])
  await index.pending.mutualsRead(did)
  expect(await wanted(-HOUR_MS)).toEqual([])
  await new Promise((resolve) => setTimeout(resolve, 2))
  await index.pending.viewerAsked(did)
  expect(await wanted(-HOUR_MS)).toEqual([])
  await index.pending.viewerAsked(did, { mutuals: true })
  expect(await wanted(-HOUR_MS)).toEqual([did])
  expect(await wanted(HOUR_MS)).toEqual([])
})
