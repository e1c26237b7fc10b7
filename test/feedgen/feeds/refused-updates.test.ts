/**
 * Updates of definitions that are refused: what was served before them stays in service, over a
 * restart too.
 */
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest'
import { logger } from '#platform/log.ts'
import { encode } from '#protocol/cbor.ts'
import type { Definition } from '../../../feedgen/algorithm/definition.ts'
import { writeDefinition } from '../../../feedgen/algorithm/read.ts'
import { Definitions } from '../../../feedgen/feeds/live-definitions.ts'
import type { NewRecords } from '../../../feedgen/index/write/events.ts'
import { Author } from '../../support/author.ts'
import { type Directory, startDirectory } from '../../support/directory.ts'
import { temporaryFolder } from '../../support/processes.ts'
import { type Relay, startRelay } from '../../support/relay.ts'
import { newLocation, stores, usePostgres, writtenIndex } from '../index/stores.ts'
import { eventually, SERVICE_DID, startFeedgen } from '../support.ts'

const ALGORITHM = 'social.atoll.feed.algorithm'
const GENERATOR = 'app.bsky.feed.generator'

const recordOf = (parts: Partial<Definition>): Record<string, unknown> =>
  writeDefinition({
    sources: [{ kind: 'network', windowHours: 24 }],
    createdAt: '2026-11-01T00:00:00Z',
    ...parts,
  } as Definition)
const wordOf = (word: string) => recordOf({ where: { kind: 'text', words: [word] } })

describe('over a firehose', () => {
  let directory: Directory
  let relay: Relay
  beforeAll(async () => {
    directory = await startDirectory()
    relay = await startRelay()
  })
  afterAll(async () => {
    await relay?.[Symbol.asyncDispose]()
    await directory?.[Symbol.asyncDispose]()
  })

  test('a typo in an update leaves the feed as it was, with what comes in, until it is mended or deleted', async () => {
    const creator = new Author().register(directory)
    const folder = temporaryFolder()
    onTestFinished(() => folder[Symbol.dispose]())
    const start = () =>
      startFeedgen({
        endpoints: [relay.url],
        plcUrl: directory.url,
        serviceDid: SERVICE_DID,
        publishers: { dids: [creator.did], hosts: [] },
        sqliteLocation: path.join(folder.path, 'feedgen.sqlite'),
      })
    let feedgen = await start()
    const feed = creator.uri(`${GENERATOR}/birds`)
    const publish = (record: unknown) =>
      relay.emit(creator.commit({ [`${ALGORITHM}/birds`]: record as never }))
    const shown = async () => {
      const { status, body } = await feedgen.get('app.bsky.feed.getFeedSkeleton', { feed })
      return status === 200 ? body.feed.map(({ post }: { post: string }) => post) : body.error
    }
    const shows = (posts: unknown) =>
      eventually(async () => JSON.stringify(await shown()) === JSON.stringify(posts))
    const view = async () => (await feedgen.get('social.atoll.feed.getAlgorithm', { feed })).body
    const post = (text: string) => {
      const { uri, event } = creator.post(text)
      relay.emit(event)
      return uri
    }

    relay.emit(creator.commit({ [`${GENERATOR}/birds`]: { did: SERVICE_DID, displayName: 'Birds' } }))
    publish(wordOf('heron'))
    const one = post('a heron')
    await shows([one])
    publish({ ...wordOf('heron'), score: { order: 'newset' } })
    await eventually(async () => (await view()).refusal !== undefined)
    expect(await view()).toMatchObject({
      served: true,
      refusal: { path: 'score/order' },
      definition: { score: { order: 'newset' } },
    })
    const two = post('another heron')
    await shows([two, one])
    const explained = await feedgen.get('social.atoll.feed.explain', { feed, post: two })
    expect(explained.body).toMatchObject({ present: true, refusal: { path: 'score/order' } })
    const { body } = await feedgen.get('social.atoll.feed.listAlgorithms', { creator: creator.did })
    expect(body.algorithms).toMatchObject([{ served: true, refusal: { path: 'score/order' } }])

    await feedgen[Symbol.asyncDispose]()
    feedgen = await start()
    onTestFinished(() => feedgen[Symbol.asyncDispose]())
    expect(await view()).toMatchObject({ served: true, refusal: { path: 'score/order' } })
    const three = post('a third heron')
    await shows([three, two, one])

    const egret = post('an egret')
    publish(wordOf('egret'))
    await shows([egret])
    expect(await view()).not.toHaveProperty('refusal')
    publish(null)
    await shows('UnknownFeed')
    // What was deleted is not what was in service before.
    publish({ ...wordOf('heron'), mood: 'good' })
    await eventually(async () => (await view()).refusal?.path === 'mood')
    expect(await view()).toMatchObject({ served: false })
    expect(await shown()).toBe('UnknownFeed')
  })
})

describe.each(stores)('in an index in %s', (store) => {
  if (store === 'PostgreSQL') usePostgres()
  const DID = 'did:plc:aaaaaaaaaaaaaaaaaaaaaaaa'

  test('what is in service is known to the next process, in the version that is newest, and ends with the record', async () => {
    const index = await writtenIndex(await newLocation(store))
    let rev = 0
    const commit = (changes: { table: 'definitions' | 'generators'; rkey: string; row: unknown }[]) =>
      index.writer.apply([
        {
          kind: 'commit',
          did: DID,
          rev: `rev${++rev}`,
          data: `data${rev}`,
          prevData: rev === 1 ? undefined : `data${rev - 1}`,
          changes: changes.map(({ table, rkey, row }) => ({
            table,
            uri: `at://${DID}/${table === 'definitions' ? ALGORITHM : GENERATOR}/${rkey}`,
            row: row as NewRecords['definitions'] | null,
          })),
        } as never,
      ])
    const define = (...records: (object | null)[]) =>
      commit(
        records.map((record, i) => ({
          table: 'definitions',
          rkey: `feed${i}`,
          row: record && { record: encode(record as never) },
        })),
      )
    let allowed: boolean | undefined = true
    const open = async () => {
      const definitions = new Definitions({
        reader: index.reader,
        async mayPublish() {
          if (allowed === undefined) throw new Error('the directory is down')
          return allowed
        },
        costMax: 500,
      })
      onTestFinished(() => definitions[Symbol.asyncDispose]())
      await definitions.refresh()
      return definitions
    }
    const keep = (definitions: Definitions) =>
      index.writer.setServed(
        definitions.served().flatMap(({ id, served }) => (served ? { id, ...served } : [])),
      )
    const words = (definitions: Definitions) =>
      definitions.all().map(({ isServed, plan, refusal }) => {
        const where = plan?.definition.where
        return [isServed && where?.kind === 'text' && where.words?.[0], refusal?.path]
      })

    await commit([0, 1].map((i) => ({ table: 'generators', rkey: `feed${i}`, row: {} })))
    await define(wordOf('one'), wordOf('other'))
    await keep(await open())
    const bad = { ...wordOf('one'), mood: 'good' }
    await define(bad, bad)
    expect(words(await open())).toEqual([
      ['one', 'mood'],
      ['other', 'mood'],
    ])
    // Nobody can tell who may publish: what was allowed before goes on, and the account is asked
    // about again.
    allowed = undefined
    const warn = vi.spyOn(logger('algorithms'), 'warn')
    onTestFinished(() => warn.mockRestore())
    const undecided = await open()
    expect(words(undecided)).toEqual([
      ['one', 'mood'],
      ['other', 'mood'],
    ])
    await undecided.refresh()
    const warned = () => warn.mock.calls.filter(([, what]) => what === 'it cannot be told who may publish')
    expect(warned()).toHaveLength(2)
    expect(warned()[0]?.[0]).toMatchObject({
      uri: expect.stringContaining('/feed0'),
      todo: expect.any(String),
    })
    allowed = false
    await undecided.refresh()
    expect(words(undecided)).toEqual([
      [false, 'mood'],
      [false, 'mood'],
    ])
    expect(words(await open()).map(([word]) => word)).toEqual([false, false])
    allowed = true

    const before = await open()
    await define(null)
    // Comes too late to be the last word.
    await keep(before)
    await define(bad)
    await before.refresh()
    for (const definitions of [before, await open()])
      expect(words(definitions)).toEqual([
        [false, 'mood'],
        ['other', 'mood'],
      ])
    await define(wordOf('three'))
    await keep(await open())
    await define(bad)
    expect(words(await open())[0]).toEqual(['three', 'mood'])
  })
})
