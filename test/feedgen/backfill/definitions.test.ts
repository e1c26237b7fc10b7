/** What definitions speak of is there although it was made before anybody listened. */
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import type { Definition } from '../../../feedgen/algorithm/definition.ts'
import { Backfill } from '../../../feedgen/backfill/backfill.ts'
import { needsOf } from '../../../feedgen/backfill/needs.ts'
import { Servers } from '../../../feedgen/backfill/pds-client.ts'
import { AuthorKeys } from '../../../feedgen/identity/identity-cache.ts'
import { openIndex } from '../../../feedgen/index/database.ts'
import { createUser, startPds, type TestUser } from '../../support/pds.ts'
import { startPlc } from '../../support/plc.ts'
import { temporaryFolder } from '../../support/processes.ts'
import { eventually, SERVICE_DID } from '../support.ts'
import { rows } from '../tables.ts'

const HOURS = { windowHours: 24 }

function definition(part: Partial<Definition>): Definition {
  return { sources: [], createdAt: '2026-01-01T00:00:00Z', ...part }
}

test('authors, lists, starter packs, graphs, posts and labelers are found wherever they stand', () => {
  const needs = needsOf(
    definition({
      sources: [
        {
          kind: 'minus',
          from: [
            { kind: 'actors', dids: ['did:web:a'], ...HOURS },
            { kind: 'hop', to: 'root', of: [{ kind: 'labels', by: 'did:web:l1', val: ['x'], ...HOURS }] },
          ],
          take: [{ kind: 'likedBy', set: { kind: 'list', uri: 'at://list' }, ...HOURS }],
        },
        { kind: 'starterPack', uri: 'at://pack', ...HOURS },
        { kind: 'colikers', seed: { kind: 'posts', uris: ['at://seed'] }, ...HOURS },
      ],
      where: {
        kind: 'all',
        of: [
          { kind: 'not', of: { kind: 'label', any: ['x'], by: ['did:web:l2'] } },
          { kind: 'author', in: { kind: 'graph', of: 'did:web:g', edge: 'follows' } },
          { kind: 'author', in: { kind: 'graph', of: 'did:web:m', edge: 'mutuals' } },
          { kind: 'author', in: { kind: 'graph', of: 'did:web:f', edge: 'followers' } },
          // These are no accounts whose posts are wanted.
          { kind: 'mention', dids: ['did:web:m'] },
        ],
      },
      place: { pin: 'at://pin', manualAdd: ['at://added'] },
    }),
  )
  expect(Object.fromEntries(Object.entries(needs).map(([name, set]) => [name, [...set]]))).toEqual({
    authors: ['did:web:a'],
    graphs: ['did:web:g'],
    mutualsOf: ['did:web:m'],
    followersOf: ['did:web:f'],
    lists: ['at://list'],
    starterPacks: ['at://pack'],
    posts: ['at://seed', 'at://pin', 'at://added'],
    labelers: ['did:web:l1', 'did:web:l2'],
  })
})

test('the needs of a definition are fetched, each once', async () => {
  await using plc = await startPlc()
  await using pds = await startPds({ plcUrl: plc.url })
  const users: TestUser[] = []
  for (const name of ['alice', 'bob', 'carol', 'dan']) users.push(await createUser(pds, name))
  const [alice, bob, carol, dan] = users as [TestUser, TestUser, TestUser, TestUser]
  const create = async (collection: string, record: object) => {
    const createdAt = new Date().toISOString()
    const { data } = await alice.agent.com.atproto.repo.createRecord({
      repo: alice.did,
      collection,
      record: { $type: collection, createdAt, ...record },
    })
    return data.uri
  }
  await bob.agent.post({ text: 'by bob' })
  await carol.agent.post({ text: 'by carol' })
  const byDan = await dan.agent.post({ text: 'by dan' })
  await carol.agent.repost(byDan.uri, byDan.cid)
  await alice.agent.follow(dan.did)
  const list = await create('app.bsky.graph.list', { name: 'l', purpose: 'app.bsky.graph.defs#curatelist' })
  await create('app.bsky.graph.listitem', { list, subject: carol.did })
  const starterPack = await create('app.bsky.graph.starterpack', { name: 's', list })

  const folder = temporaryFolder()
  onTestFinished(() => folder[Symbol.dispose]())
  const file = `${folder.path}/index.sqlite`
  await using index = await openIndex(file)
  const authors = new AuthorKeys({ plcUrl: plc.url, fetch: globalThis.fetch })
  const asked: string[] = []
  const servers = new Servers({
    allowPrivate: true,
    authors: {
      refresh: (did) => authors.refresh(did),
      server(did) {
        asked.push(did)
        return authors.server(did)
      },
    },
  })
  await using backfill = new Backfill({
    servers,
    index: index.writer,
    pending: index.pending,
    serviceDid: SERVICE_DID,
  })
  const posts = () =>
    rows<{ did: string }>(
      file,
      'select did from posts join accounts on accounts.id = author where present = 1 order by did',
    ).map(({ did }) => did)

  backfill.want([definition({ sources: [{ kind: 'actors', dids: [bob.did], ...HOURS }] })])
  await eventually(() => posts().length === 1)
  expect(posts()).toEqual([bob.did])
  backfill.want([definition({ sources: [{ kind: 'starterPack', uri: starterPack, ...HOURS }] })])
  await eventually(() => rows(file, 'select 1 from reposts').length === 1)
  expect(posts()).toEqual([bob.did, carol.did].sort())
  expect(rows(file, 'select 1 from list_items join starter_packs using (list)')).toHaveLength(1)
  backfill.want([
    definition({
      sources: [
        { kind: 'graph', of: alice.did, edge: 'follows', ...HOURS },
        { kind: 'posts', uris: [byDan.uri] },
      ],
    }),
  ])
  await eventually(() => posts().length === 3 && rows(file, 'select 1 from follows').length === 1)

  // What was asked for last may still be under way.
  let before = -1
  await eventually(async () => {
    if (before === asked.length) return true
    before = asked.length
    await sleep(1000)
    return before === asked.length
  })
  backfill.want([definition({ sources: [{ kind: 'actors', dids: [bob.did, carol.did], ...HOURS }] })])
  await backfill[Symbol.asyncDispose]()
  expect(asked.slice(before).filter((did) => did === bob.did || did === carol.did)).toEqual([])
})
