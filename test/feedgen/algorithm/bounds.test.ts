/** What definitions may ask of posts, and what becomes of those that ask more. */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest'
import { encode } from '#protocol/cbor.ts'
import { overBounds } from '../../../feedgen/algorithm/bounds.ts'
import { compile } from '../../../feedgen/algorithm/compile.ts'
import { totalOf } from '../../../feedgen/algorithm/cost.ts'
import type { Definition, Filter, Source } from '../../../feedgen/algorithm/definition.ts'
import { writeDefinition } from '../../../feedgen/algorithm/read.ts'
import { DeadlineError } from '../../../feedgen/engine/deadline.ts'
import type { Shown } from '../../../feedgen/engine/jobs.ts'
import type { FeedAlgorithm } from '../../../feedgen/feeds/feed-algorithm.ts'
import { Inquiries } from '../../../feedgen/feeds/inquiries.ts'
import { Definitions } from '../../../feedgen/feeds/live-definitions.ts'
import { Lists } from '../../../feedgen/feeds/ranked-lists.ts'
import { type FeedDeps, servePage } from '../../../feedgen/feeds/serving.ts'
import { Author } from '../../support/author.ts'
import { type Directory, startDirectory } from '../../support/directory.ts'
import { type Relay, startRelay } from '../../support/relay.ts'
import { type Answer, SERVICE_DID, startFeedgen, type TestFeedgen } from '../support.ts'

const actors: Source = { kind: 'actors', dids: ['did:plc:aaaaaaaaaaaaaaaaaaaaaaaa'], windowHours: 24 }
const network: Source = { kind: 'network', windowHours: 24 }
const regex = (source: string): Filter => ({ kind: 'text', regex: source })
const tag = (n: number): Filter => ({ kind: 'tag', any: [`tag${n}`] })
const many = <T>(count: number, make: (n: number) => T): T[] =>
  Array.from({ length: count }, (_, n) => make(n))
const definition = (parts: Partial<Definition>): Definition => ({
  sources: [actors],
  createdAt: '2026-11-01T00:00:00.000Z',
  ...parts,
})

describe('the bounds of a definition', () => {
  const over = (where: Filter) => overBounds(definition({ where }))

  test('count each filter and expression once, and alternatives of a list together', () => {
    expect(over({ kind: 'all', of: many(100, tag) })).toBeUndefined()
    expect(over({ kind: 'text', words: many(500, (n) => `word${n}`) })).toBeUndefined()
    expect(over({ kind: 'any', of: many(200, tag) })).toBeUndefined()
    const nested: Filter = { kind: 'all', of: many(4, () => ({ kind: 'all', of: many(76, tag) }) as Filter) }
    expect(over(nested)).toEqual({ path: 'where', reason: 'has more than 300 filters' })
    const lists: Filter = { kind: 'all', of: many(4, () => ({ kind: 'any', of: many(76, tag) }) as Filter) }
    expect(over(lists)).toBeUndefined()
  })

  test('hold for expressions in lists, in exceptions and in lanes', () => {
    const expressions = many(51, (n) => regex(`x${n}`))
    expect(over({ kind: 'any', of: expressions.slice(1) })).toBeUndefined()
    for (const where of [
      { kind: 'any', of: expressions },
      { kind: 'not', of: { kind: 'all', of: expressions } },
    ] as Filter[])
      expect(over(where)).toEqual({ path: 'where', reason: 'has more than 50 regular expressions' })
    const lanes = many(2, (n) => ({
      where: { kind: 'any', of: expressions.slice(n * 25) } as Filter,
      share: 1,
    }))
    expect(overBounds(definition({ arrange: { mix: { lanes } } }))?.path).toBe('arrange/mix/lanes/0/where')
  })
})

test('tests are priced wherever posts come from, and in lanes', () => {
  const cost = (parts: Partial<Definition>) => totalOf(compile(definition(parts)).cost)
  const costly: Filter = { kind: 'all', of: many(30, (n) => regex(`x${n}`)) }
  const sources: Source[] = [
    actors,
    network,
    { kind: 'list', uri: 'at://did:plc:aaaaaaaaaaaaaaaaaaaaaaaa/app.bsky.graph.list/x', windowHours: 24 },
    { kind: 'viewerGraph', edge: 'follows', windowHours: 24 },
    { kind: 'tags', tags: ['art'], windowHours: 24 },
    { kind: 'hop', to: 'replies', of: [network] },
    { kind: 'minus', from: [actors], take: [network] },
  ]
  for (const source of sources.filter(({ kind }) => kind !== 'tags'))
    expect([source.kind, cost({ sources: [source], where: costly }) > 500]).toEqual([source.kind, true])
  expect(cost({ arrange: { mix: { lanes: [{ where: costly, share: 1 }] } } })).toBeGreaterThan(500)
  expect(cost({ where: regex('x') })).toBeLessThan(100)
  // Repetitions cost more than what is written out.
  expect(cost({ sources: [network], where: regex('[^z]{400}$') })).toBeGreaterThan(500)
  const words = many(100, (n) => `word${n}`).join('|')
  expect(cost({ sources: [network], where: regex(words) })).toBe(
    cost({ sources: [network], where: regex('x') }),
  )
})

describe('a definition over a bound', () => {
  const AUTHOR = 'did:plc:aaaaaaaaaaaaaaaaaaaaaaaa'
  const open = async (where: Filter, allowedVersion: number | null) => {
    const record = encode(writeDefinition(definition({ where })))
    const row = {
      id: 1,
      author: AUTHOR,
      rkey: 'x',
      record,
      version: 7,
      filledVersion: null,
      allowedVersion,
      servedVersion: null,
      servedRecord: null,
    }
    const definitions = new Definitions({
      reader: {
        definitions: async (after) => (after < 7 ? [row] : []),
        generators: async () => [{ uri: `at://${AUTHOR}/app.bsky.feed.generator/x`, rkey: 'x' }],
      },
      mayPublish: async () => true,
      costMax: 500,
    })
    onTestFinished(() => definitions[Symbol.asyncDispose]())
    await definitions.refresh()
    const inquiries = new Inquiries({
      definitions,
      registry: undefined as never,
      evaluator: undefined as never,
      costMax: 500,
    })
    return inquiries.algorithms({ after: 0, limit: 1 }).algorithms[0]
  }
  const expressions: Filter = { kind: 'any', of: many(60, (n) => regex(`x${n}`)) }
  const costly: Filter = { kind: 'any', of: many(40, (n) => regex(`x${n}`)) }

  test('is refused when it is new', async () => {
    for (const allowed of [null, 6])
      expect(await open(expressions, allowed)).toMatchObject({ served: false, refusal: { path: 'where' } })
    expect(await open(costly, null)).toMatchObject({ served: false, refusal: { path: '' } })
  })

  test('stays in service and is marked when it was live before', async () => {
    expect(await open(expressions, 7)).toMatchObject({ served: true, overLimit: { path: 'where' } })
    expect(await open(costly, 7)).toMatchObject({ served: true, overLimit: { path: '' } })
    expect(await open(tag(1), 7)).not.toHaveProperty('overLimit.path')
  })
})

test('a feed whose list takes too long is served from the one before, and tried again later', async () => {
  vi.useFakeTimers({ toFake: ['Date'] })
  onTestFinished(() => void vi.useRealTimers())
  const list: Shown[] = [{ id: 1, author: 1, post: 'at://x/app.bsky.feed.post/1', score: 1 }]
  const ranks: (() => Promise<readonly Shown[]>)[] = []
  const ranked = definition({ score: { order: 'random' } })
  const algorithm: FeedAlgorithm = { key: 'x', plan: compile(ranked) }
  const deps = {
    evaluator: { run: () => (ranks.shift() ?? expect.unreachable)() },
    lists: new Lists<Shown>({
      freshMs: 1000,
      staleMsMax: 60_000,
      itemsMax: 100,
      isPassing: (error) => error instanceof DeadlineError,
    }),
    visibility: { of: async (ids: number[]) => new Set(ids) },
    hiding: { of: async () => new Set() },
  } as unknown as FeedDeps
  const page = () => servePage(algorithm, { viewer: '', limit: 10 }, deps, async () => undefined)
  const late = () => Promise.reject(new DeadlineError())
  ranks.push(late)
  await expect(page()).rejects.toThrow(DeadlineError)
  // Nothing is evaluated until some time has passed.
  await expect(page()).rejects.toThrow(DeadlineError)
  vi.setSystemTime(Date.now() + 60_001)
  ranks.push(async () => list)
  expect((await page()).items).toEqual([{ post: list[0]?.post, repost: undefined, isPin: undefined }])
  vi.setSystemTime(Date.now() + 120_001)
  ranks.push(late)
  expect((await page()).items).toHaveLength(1)
  expect((await page()).items).toHaveLength(1)
  expect(ranks).toEqual([])
})

describe('a question that takes too long', () => {
  let directory: Directory
  let relay: Relay
  let feedgen: TestFeedgen
  const writer = new Author()
  beforeAll(async () => {
    directory = await startDirectory()
    relay = await startRelay()
    writer.register(directory)
    feedgen = await startFeedgen({
      endpoints: [relay.url],
      plcUrl: directory.url,
      serviceDid: SERVICE_DID,
      definitionCostMax: 1_000_000,
      // A slow machine is done with a plain one by then, and a fast one not with the others.
      evaluationMsMax: 600,
    })
    let seq = 0
    for (let n = 0; n < 3_000; n++) seq = relay.emit(writer.post(`${n} ${'ab'.repeat(145)}`).event)
    await feedgen.reached(relay.url, seq)
  })
  afterAll(async () => {
    await feedgen?.[Symbol.asyncDispose]()
    await relay?.[Symbol.asyncDispose]()
    await directory?.[Symbol.asyncDispose]()
  })

  const ask = async (method: string, parts: Partial<Definition>, address = '192.0.2.1'): Promise<Answer> => {
    const record = writeDefinition(definition({ sources: [{ ...actors, dids: [writer.did] }], ...parts }))
    const response = await fetch(`${feedgen.url}/xrpc/social.atoll.feed.${method}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-forwarded-for': address },
      body: JSON.stringify({ definition: record }),
    })
    return { status: response.status, body: await response.json() }
  }
  // Each takes milliseconds for each post, since it may begin at every letter.
  const slow: Filter = {
    kind: 'all',
    of: many(50, (n) => ({ kind: 'not', of: regex(`a[ab]{${300 + n}}$`) })),
  }

  test('ends at its deadline, and a plain one behind it is answered', async () => {
    const late = ask('preview', { where: slow })
    await sleep(50)
    const plain = await ask('preview', { where: tag(1) }, '192.0.2.2')
    expect([plain.status, plain.body.feed]).toEqual([200, []])
    expect(await late).toMatchObject({ status: 400, body: { error: 'TooExpensive' } })
    const lanes = [{ where: slow, share: 1 }]
    expect(await ask('preview', { arrange: { mix: { lanes } } }, '192.0.2.3')).toMatchObject({
      status: 400,
      body: { error: 'TooExpensive' },
    })
  })

  test('is refused before it is asked when it has too many expressions', async () => {
    for (const method of ['preview', 'backtest'])
      expect(
        await ask(
          method,
          { where: { kind: 'any', of: many(150, (n) => regex(`(x+x+)+y${n}`)) } },
          '192.0.2.4',
        ),
      ).toMatchObject({
        status: 400,
        body: { error: 'InvalidDefinition', message: expect.stringContaining('regular expressions') },
      })
  })
})
