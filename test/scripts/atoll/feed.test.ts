/** `atoll feed` against a PDS and feed generators, as its user types it. */
import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import type { AtpAgent } from '@atproto/api'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { eventually, startFeedgen, type TestFeedgen } from '../../feedgen/support.ts'
import { createUser, type InProcessPds, PASSWORD, startPds, type TestUser } from '../../support/pds.ts'
import { type PlcDirectory, startPlc } from '../../support/plc.ts'
import { type TemporaryFolder, temporaryFolder } from '../../support/processes.ts'
import { startReferencePds } from '../../support/reference-pds.ts'
import { Subscriber } from '../../support/subscriber.ts'
import { atoll, atollBin, atollProcess, type RunOptions } from './support.ts'

const GENERATOR = 'app.bsky.feed.generator'
const ALGORITHM = 'social.atoll.feed.algorithm'
const HOST_DID = 'did:web:feeds.test'

const cats = {
  sources: [{ $type: 'social.atoll.feed.sources#network', windowHours: 24 }],
  where: { $type: 'social.atoll.feed.where#tag', any: ['cats'] },
}

let plc: PlcDirectory
let pds: InProcessPds
let feedgen: TestFeedgen
let folder: TemporaryFolder
let alice: TestUser
let bob: TestUser
let users = 0

beforeAll(async () => {
  plc = await startPlc()
  pds = await startPds({ plcUrl: plc.url })
  feedgen = await startFeedgen({
    endpoints: [`${pds.url.replace('http', 'ws')}/xrpc/com.atproto.sync.subscribeRepos`],
    plcUrl: plc.url,
    serviceDid: HOST_DID,
    publishers: 'anyone',
  })
  folder = temporaryFolder()
})
beforeEach(async () => {
  users++
  alice = await createUser(pds, `alice${users}`)
  bob = await createUser(pds, `bob${users}`)
})
afterAll(async () => {
  folder?.[Symbol.dispose]()
  await feedgen?.[Symbol.asyncDispose]()
  await pds?.[Symbol.asyncDispose]()
  await plc?.[Symbol.asyncDispose]()
})

const file = (name: string, content: unknown): string => {
  const place = path.join(folder.path, name)
  writeFileSync(place, typeof content === 'string' ? content : JSON.stringify(content))
  return place
}

/** The environment of somebody who is signed in, and whose PDS is found by itself. */
const as = ({ did }: TestUser, more: Record<string, string> = {}): RunOptions => ({
  env: { ATOLL_ACCOUNT: did, ATOLL_PASSWORD: PASSWORD, PDS_DID_PLC_URL: plc.url, ...more },
})

const record = async (agent: AtpAgent, collection: string, rkey: string) => {
  const { data } = await agent.com.atproto.repo.getRecord({ repo: agent.assertDid, collection, rkey })
  // biome-ignore lint/suspicious/noExplicitAny: tests look into records of any shape
  return data as { uri: string; cid: string; value: any }
}

describe('the command', () => {
  it('runs from any folder under the system’s Node, and passes the exit code on', async () => {
    const cwd = path.join(folder.path, 'elsewhere')
    mkdirSync(cwd)
    writeFileSync(path.join(cwd, 'cats.json'), JSON.stringify(cats))
    expect(await atollBin(['feed', 'validate', 'cats.json'], { cwd })).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^cats.json is valid. It costs its host \d+ points/),
    })
    expect(await atollBin(['feed', 'validate', 'dogs.json'], { cwd })).toMatchObject({
      code: 1,
      stdout: '',
      stderr: 'There is no file dogs.json.\n',
    })
  })

  it('ends with 2 when the command line is wrong', async () => {
    const cases = [
      [['feed', 'publsh'], 'Did you mean publish'],
      [['feed'], 'Usage: atoll feed'],
      [['feed', 'validate'], "missing required argument 'file'"],
      [['feed', 'publish'], 'Give the file of a definition, or --built-in'],
      [['feed', 'publish', '--built-in', 'nonsense'], 'Allowed choices are latest, hot'],
      [['feed', 'publish', 'x.json', '--pds', 'nonsense'], 'must be a URL'],
      [['feed', 'publish', 'x.json', '--name', 'x'.repeat(25)], '1 to 24 characters'],
      [['feed', 'list', 'not a handle'], 'neither a handle'],
      [['feed', 'unpublish', 'cats'], 'Neither --account nor ATOLL_ACCOUNT is given'],
    ] as const
    const runs = cases.map(([args], index) => (index === 0 ? atollProcess : atoll)([...args]))
    for (const [index, { code, stdout, stderr }] of (await Promise.all(runs)).entries()) {
      expect({ code, stdout }, stderr).toEqual({ code: 2, stdout: '' })
      expect(stderr).toContain(cases[index]![1])
    }
  })

  it('takes no password from the command line, and says who refused one', async () => {
    const definition = file('cats.json', cats)
    const publish = ['feed', 'publish', definition]
    const [typed, none, wrong, nobody, down] = await Promise.all([
      atoll([...publish, '--password', PASSWORD], as(alice)),
      atoll(publish, as(alice, { ATOLL_PASSWORD: '' })),
      atoll(publish, as(alice, { ATOLL_PASSWORD: 'wrong' })),
      atoll(['feed', 'list', 'did:plc:aaaaaaaaaaaaaaaaaaaaaaaa'], as(alice)),
      atoll([...publish, '--pds', 'http://localhost:1'], as(alice)),
    ])
    expect(typed).toMatchObject({ code: 2, stderr: expect.stringContaining("unknown option '--password'") })
    expect(none).toMatchObject({ code: 2, stderr: expect.stringContaining('ATOLL_PASSWORD is not set') })
    expect(wrong).toMatchObject({ code: 1, stdout: '' })
    expect(wrong.stderr).toContain(`Could not sign in as ${alice.did}: ${pds.url} says 401`)
    expect(nobody).toMatchObject({ code: 1, stderr: expect.stringContaining('There is no did:plc:aaaa') })
    expect(down).toMatchObject({ code: 1, stderr: expect.stringContaining('nothing answers at') })
  })
})

describe('validate', () => {
  it('names the path of what is wrong', async () => {
    const regex = { $type: 'social.atoll.feed.where#text', regex: '(?<=a)b' }
    const faulty = [
      ['path.json', { ...cats, where: { ...cats.where, any: ['cats', 7] } }, 'is not valid: where/any/1'],
      ['unknown.json', { ...cats, whre: {} }, 'whre'],
      ['regex.json', { ...cats, where: regex }, 'where/regex'],
      ['text.json', 'cats', 'is not JSON'],
      ['list.json', [cats], 'holds no definition'],
    ] as const
    const runs = faulty.map(([name, content]) => atoll(['feed', 'validate', file(name, content)]))
    for (const [index, run] of (await Promise.all(runs)).entries()) {
      expect(run).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining(faulty[index]![2]) })
    }
    const piped = await atollProcess(['feed', 'validate', '-', '--json'], { input: JSON.stringify(cats) })
    expect(piped.json()).toMatchObject({ valid: true, cost: expect.any(Number), isPersonal: false })
  })
})

describe('the short form', () => {
  const typed = (who: string) => `{
    // What people type.
    "sources": [{ "kind": "list", "uri": "https://bsky.app/profile/${who}/lists/3k2akd5kqzc2a", "windowHours": 24 }],
    "where": { "$type": "text", "words": ["heron", "egret"] },
    "createdAt": "2026-11-01T00:00:00.000Z",
  }`

  it('is published whole, and printed short again', async () => {
    const birds = file('birds.jsonc', typed(alice.did))
    const options = as(alice)
    const published = await atoll(['feed', 'publish', birds, '--host', feedgen.url, '--json'], options)
    expect(published.json(), published.stderr).toMatchObject([{ outcome: 'created' }])
    expect(published.stderr).toMatch(/^warning {2}sources\/0\/uri: names a list, .* that does not exist$/m)
    const { value } = await record(alice.agent, ALGORITHM, 'birds')
    const uri = `at://${alice.did}/app.bsky.graph.list/3k2akd5kqzc2a`
    expect(value).toEqual({
      $type: ALGORITHM,
      sources: [{ $type: 'social.atoll.feed.sources#list', uri, windowHours: 24 }],
      where: { $type: 'social.atoll.feed.where#text', words: ['heron', 'egret'] },
      createdAt: '2026-11-01T00:00:00.000Z',
    })
    const feed = `at://${alice.did}/${GENERATOR}/birds`
    const [short, whole] = await Promise.all([
      atoll(['feed', 'fmt', feed], options),
      atoll(['feed', 'fmt', birds, '--whole'], options),
    ])
    expect(JSON.parse(short.stdout)).toEqual({
      sources: [{ kind: 'list', uri, windowHours: 24 }],
      where: { kind: 'text', words: ['heron', 'egret'] },
      createdAt: value.createdAt,
    })
    expect(short.stdout).toContain('"where": { "kind": "text", "words": ["heron", "egret"] }')
    expect(JSON.parse(whole.stdout)).toEqual(value)
  })

  it('may name people by handle, and says which name is nobody’s', async () => {
    const options = as(alice, { PDS_DID_PLC_URL: plc.url })
    await alice.agent.com.atproto.repo.putRecord({
      repo: alice.did,
      collection: 'app.bsky.graph.list',
      rkey: '3k2akd5kqzc2a',
      record: {
        purpose: 'app.bsky.graph.defs#curatelist',
        name: 'Birds',
        createdAt: new Date().toISOString(),
      },
    })
    const there = atoll(['feed', 'validate', file('there.jsonc', typed(alice.did)), '--json'], options)
    expect((await there).json()).toMatchObject({ valid: true, warnings: [] })
    const known = atoll(['feed', 'fmt', file('known.jsonc', typed(alice.handle)), '--pds', pds.url], options)
    const nobody = atoll(
      ['feed', 'validate', file('no.jsonc', typed('nobody.test')), '--pds', pds.url],
      options,
    )
    expect((await known).stdout).toContain(`at://${alice.did}/app.bsky.graph.list/3k2akd5kqzc2a`)
    expect(await nobody).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('is not valid: sources/0/uri: Could not find nobody.test'),
    })
  })
})

describe('publish and unpublish', () => {
  it('write both records in one commit, and keep what is there', async () => {
    const definition = file('cats.json', cats)
    const args = ['feed', 'publish', definition, '--host', feedgen.url, '--json']
    const picture = file('cat.png', 'not looked at')
    const presentation = ['--name', 'Cats 🐈', '--description', 'All of them', '--avatar', picture]
    using subscriber = await Subscriber.connect(pds.url)
    const created = await atoll([...args, ...presentation], as(alice))
    expect(created.json(), created.stderr).toEqual([
      { uri: `at://${alice.did}/${GENERATOR}/cats`, outcome: 'created', host: HOST_DID },
    ])
    await subscriber.until((frames) => frames.length > 0)
    expect(subscriber.events).toMatchObject([
      { kind: 'commit', ops: [{ path: `${GENERATOR}/cats` }, { path: `${ALGORITHM}/cats` }] },
    ])

    const generator = await record(alice.agent, GENERATOR, 'cats')
    expect(generator.value).toMatchObject({
      did: HOST_DID,
      displayName: 'Cats 🐈',
      description: 'All of them',
      avatar: { mimeType: 'image/png' },
    })
    const algorithm = await record(alice.agent, ALGORITHM, 'cats')
    expect(algorithm.value).toMatchObject(cats)

    expect((await atoll(args, as(alice))).json()).toMatchObject([{ outcome: 'unchanged' }])
    const labels = { $type: 'com.atproto.label.defs#selfLabels', values: [{ val: 'cute' }] }
    await alice.agent.com.atproto.repo.putRecord({
      repo: alice.did,
      collection: GENERATOR,
      rkey: 'cats',
      record: { ...generator.value, labels },
    })
    const more = { ...cats, viewer: { hide: ['seen'] } }
    const changed = await atoll(['feed', 'publish', file('cats.json', more), '--json'], as(alice))
    expect(changed.json(), changed.stderr).toMatchObject([{ outcome: 'updated', host: HOST_DID }])
    expect((await record(alice.agent, GENERATOR, 'cats')).value).toEqual({
      ...JSON.parse(JSON.stringify(generator.value)),
      avatar: generator.value.avatar,
      labels,
      acceptsInteractions: true,
    })
    expect((await record(alice.agent, ALGORITHM, 'cats')).value).toEqual({
      ...algorithm.value,
      viewer: { hide: ['seen'] },
    })

    const unsure = await atoll(['feed', 'unpublish', 'cats'], as(alice))
    expect(unsure).toMatchObject({ code: 2, stderr: expect.stringContaining('--yes') })
    const foreign = await atoll(['feed', 'unpublish', generator.uri, '--yes'], as(bob))
    expect(foreign).toMatchObject({ code: 2, stderr: expect.stringContaining('you are signed in as bob') })
    const removed = await atoll(['feed', 'unpublish', 'cats', '--yes'], as(alice))
    expect(removed).toMatchObject({ code: 0, stdout: expect.stringMatching(/^removed +at:/) })
    for (const collection of [GENERATOR, ALGORITHM])
      await expect(record(alice.agent, collection, 'cats')).rejects.toThrow('Could not locate')
    const again = await atoll(['feed', 'unpublish', 'cats', '--yes', '--json'], as(alice))
    expect(again.json()).toMatchObject([{ outcome: 'absent' }])
  })

  it('finds the PDS by a handle of this machine, and signs in with an app password', async () => {
    const { data } = await alice.agent.com.atproto.server.createAppPassword({ name: 'feeds' })
    const run = await atoll(
      ['feed', 'publish', file('dogs.json', cats), '--account', `@${alice.handle}`, '--json'],
      {
        env: {
          ATOLL_PASSWORD: data.password,
          PDS_PORT: String(pds.port),
          PDS_DID_PLC_URL: plc.url,
          FEEDGEN_SERVICE_DID: 'did:web:feeds.example',
        },
      },
    )
    expect(run.json(), run.stderr).toMatchObject([{ outcome: 'created', host: 'did:web:feeds.example' }])
  })

  it('writes nothing when the definition is refused, or its host is not there', async () => {
    const wrong = file('wrong.json', { sources: [] })
    expect(await atoll(['feed', 'publish', wrong], as(alice))).toMatchObject({ code: 1 })
    const nowhere = ['feed', 'publish', file('cats.json', cats), '--host', 'http://localhost:1']
    expect(await atoll(nowhere, as(alice))).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('Could not reach the feed generator: nothing answers'),
    })
    await expect(record(alice.agent, GENERATOR, 'cats')).rejects.toThrow('Could not locate')
  })

  it('works on @atproto/pds', async () => {
    await using reference = await startReferencePds(plc.url)
    const carol = await createUser(reference, 'carol')
    const args = ['feed', 'publish', file('cats.json', cats), '--host', feedgen.url, '--json']
    const run = await atoll(args, as(carol))
    expect(run.json(), run.stderr).toMatchObject([{ outcome: 'created' }])
    expect((await atoll(args, as(carol))).json()).toMatchObject([{ outcome: 'unchanged' }])
    expect((await record(carol.agent, ALGORITHM, 'cats')).value).toMatchObject(cats)
  })
})

describe('preview, explain and backtest', () => {
  it('show what a definition does at its host, and why', async () => {
    const tagged = async (text: string, tag: string) => {
      const facet = {
        index: { byteStart: 0, byteEnd: 1 },
        features: [{ $type: 'app.bsky.richtext.facet#tag', tag }],
      }
      return (await alice.agent.post({ text, facets: [facet] })).uri
    }
    const tag = `cats${users}`
    const about = { ...cats, where: { ...cats.where, any: [tag] } }
    const definition = file('preview.json', about)
    const published = await atoll(
      ['feed', 'publish', definition, '--host', feedgen.url, '--wait', '--json'],
      as(alice),
    )
    expect(published.json(), published.stderr).toMatchObject([{ outcome: 'created' }])
    const cat = await tagged('A cat in the sun', tag)
    const dog = await tagged('A dog in the rain', 'dogs')
    const env = { PDS_DID_PLC_URL: plc.url }
    const feed = `at://${alice.did}/${GENERATOR}/preview`
    const skeleton = async () => (await feedgen.get('app.bsky.feed.getFeedSkeleton', { feed })).body.feed
    await eventually(async () => (await skeleton())?.length === 1)

    const host = ['--host', feedgen.url]
    const [preview, shown, present, absent, tested, bars, listed, unknown] = await Promise.all([
      atoll(['feed', 'preview', definition, ...host, '--json'], { env }),
      atoll(['feed', 'preview', feed, ...host, '--why', '--account', bob.did], as(bob)),
      atoll(['feed', 'explain', feed, cat, ...host], { env }),
      atoll(['feed', 'explain', feed, dog, ...host, '--json'], { env }),
      atoll(['feed', 'backtest', feed, ...host, '--days', '2', '--json'], { env }),
      atoll(['feed', 'backtest', definition, ...host], { env }),
      atoll(['feed', 'list', alice.did, ...host, '--json'], { env }),
      atoll(['feed', 'explain', feed.replace(/preview$/, 'none'), cat, ...host], { env }),
    ])
    expect(preview.json()).toMatchObject({
      feed: [{ post: cat }],
      stages: expect.arrayContaining([
        { name: 'sources', in: expect.any(Number), out: 1, micros: expect.any(Number) },
      ]),
    })
    expect(shown.stdout, shown.stderr).toMatch(/^stage +posts in +out +ms$/m)
    expect(shown.stdout).toMatch(/^ +1 .*A cat in the sun$/m)
    expect(shown.stdout).toContain('sources/0')
    expect(present.stdout, present.stderr).toMatch(/^It is in the feed, at place 1\.$/m)
    expect(absent.json()).toMatchObject({ present: false, lostAt: expect.any(String) })
    expect(tested.json()).toMatchObject({ posts: 1, complete: true })
    expect(bars.stdout, bars.stderr).toMatch(/ 1 {2}█+$/m)
    expect(listed.json()).toMatchObject([{ uri: feed, host: HOST_DID, algorithm: true }])
    expect(unknown).toMatchObject({ code: 1, stderr: expect.stringContaining('UnknownFeed') })
  })

  it('say at once when the host refuses what was published', async () => {
    await using strict = await startFeedgen({
      endpoints: [`${pds.url.replace('http', 'ws')}/xrpc/com.atproto.sync.subscribeRepos`],
      plcUrl: plc.url,
      serviceDid: HOST_DID,
      publishers: 'none',
    })
    const args = ['feed', 'publish', file('refused.json', cats), '--host', strict.url, '--wait']
    const refused = await atoll(args, as(alice))
    expect(refused).toMatchObject({ code: 1, stdout: '' })
    expect(refused.stderr).toContain(`${HOST_DID} refuses at://${alice.did}/${GENERATOR}/refused`)
  })
})

describe('fork and list', () => {
  it('copy the algorithm with a strong reference to where it came from', async () => {
    await atoll(
      ['feed', 'publish', file('cats.json', cats), '--host', feedgen.url, '--name', 'Cats'],
      as(alice),
    )
    const original = await record(alice.agent, ALGORITHM, 'cats')
    const feed = `at://${alice.handle}/${GENERATOR}/cats`
    const env = { PDS_PORT: String(pds.port) }

    const forked = await atoll(['feed', 'fork', feed, '--rkey', 'kittens', '--json'], as(bob, env))
    expect(forked.json(), forked.stderr).toEqual([
      { uri: `at://${bob.did}/${GENERATOR}/kittens`, outcome: 'created', host: HOST_DID },
    ])
    const forkOf = { uri: original.uri, cid: original.cid }
    expect((await record(bob.agent, ALGORITHM, 'kittens')).value).toMatchObject({ ...cats, forkOf })
    expect((await record(bob.agent, GENERATOR, 'kittens')).value).toMatchObject({
      did: HOST_DID,
      displayName: 'Cats',
    })
    const again = await atoll(['feed', 'fork', feed, '--rkey', 'kittens'], as(bob, env))
    expect(again).toMatchObject({ code: 1, stderr: expect.stringContaining('give another with --rkey') })

    const out = path.join(folder.path, 'fork.json')
    const url = `https://bsky.app/profile/${alice.did}/feed/cats`
    const written = await atoll(['feed', 'fork', url, '--out', out, '--json'], {
      env: { PDS_DID_PLC_URL: plc.url },
    })
    expect(written.json(), written.stderr).toEqual({ forkOf: original.uri, file: out })
    expect(await atoll(['feed', 'validate', out])).toMatchObject({ code: 0 })

    const listed = await atoll(['feed', 'list', bob.did, '--json'], { env: { PDS_DID_PLC_URL: plc.url } })
    expect(listed.json(), listed.stderr).toEqual([
      {
        uri: `at://${bob.did}/${GENERATOR}/kittens`,
        name: 'Cats',
        host: HOST_DID,
        algorithm: true,
        forkOf: original.uri,
      },
    ])
    expect((await atollProcess(['feed', 'list'], as(bob))).stdout).toContain(`forked from ${original.uri}`)
    const nothing = await atoll(['feed', 'fork', `at://${alice.did}/${GENERATOR}/dogs`], as(bob))
    expect(nothing).toMatchObject({ code: 1, stderr: expect.stringContaining('There is no feed') })
  })
})

it('fork copies the algorithm of a built-in feed from its feed generator', async () => {
  const did = HOST_DID
  const generator = { did, displayName: 'Latest', createdAt: new Date().toISOString() }
  await alice.agent.com.atproto.repo.putRecord({
    repo: alice.did,
    collection: GENERATOR,
    rkey: 'latest',
    record: { $type: GENERATOR, ...generator },
  })
  const feed = `at://${alice.did}/${GENERATOR}/latest`
  await expect
    .poll(async () => (await feedgen.get('social.atoll.feed.getAlgorithm', { feed })).status)
    .toBe(200)
  const env = {
    PDS_PORT: String(pds.port),
    FEEDGEN_SERVICE_DID: did,
    FEEDGEN_PORT: new URL(feedgen.url).port,
  }
  const forked = await atoll(['feed', 'fork', feed, '--rkey', 'newest', '--json'], as(bob, env))
  expect(forked.json(), forked.stderr).toMatchObject([{ outcome: 'created', host: did }])
  const { value } = await record(bob.agent, ALGORITHM, 'newest')
  expect(value).toMatchObject({ score: { order: 'newest' }, viewer: { languages: true } })
  expect(value).not.toHaveProperty('forkOf')
})

describe('move', () => {
  it('points a feed at another host and leaves everything else as it is', async () => {
    const { data } = await alice.agent.uploadBlob(new Uint8Array([1, 2, 3]), { encoding: 'image/png' })
    const there = {
      $type: GENERATOR,
      did: 'did:web:skyfeed.example',
      displayName: 'Cats',
      avatar: data.blob,
      createdAt: '2023-07-01T00:00:00.000Z',
    }
    const at = { repo: alice.did, collection: GENERATOR, rkey: 'aaab' }
    await alice.agent.com.atproto.repo.putRecord({ ...at, record: there })
    const { value } = await record(alice.agent, GENERATOR, 'aaab')

    const move = ['feed', 'move', `at://${alice.did}/${GENERATOR}/aaab`, '--to', feedgen.url, '--json']
    const bare = await atoll(move, as(alice))
    expect(bare).toMatchObject({ code: 1, stderr: expect.stringContaining('--definition FILE') })
    const moved = await atoll([...move, '--definition', file('cats.json', cats)], as(alice))
    expect(moved.json(), moved.stderr).toMatchObject([{ outcome: 'updated', host: HOST_DID }])
    expect((await record(alice.agent, GENERATOR, 'aaab')).value).toEqual({ ...value, did: HOST_DID })
    expect((await record(alice.agent, ALGORITHM, 'aaab')).value).toMatchObject(cats)

    expect((await atoll(move, as(alice))).json()).toMatchObject([{ outcome: 'unchanged' }])
    const missing = await atoll(['feed', 'move', 'none', '--to', feedgen.url], as(alice))
    expect(missing).toMatchObject({ code: 1, stderr: expect.stringContaining('You have no feed') })
    const nowhere = await atoll(['feed', 'move', 'aaab', '--to', 'did:web:localhost%3A1'], as(alice))
    expect(nowhere).toMatchObject({ code: 1, stderr: expect.stringContaining('Could not look up did:web') })
  })

  it('does not overwrite what somebody else writes meanwhile', async () => {
    await atoll(['feed', 'publish', file('cats.json', cats), '--host', feedgen.url], as(alice))
    const { changeFeed } = await import('../../../scripts/atoll/feed/records.ts')
    let attempts = 0
    const change = await changeFeed(alice.agent, 'cats', async ({ generator, algorithm }) => {
      if (attempts++ === 0) {
        const value = { ...generator?.value, description: 'written meanwhile' }
        const at = { repo: alice.did, collection: GENERATOR, rkey: 'cats' }
        await alice.agent.com.atproto.repo.putRecord({ ...at, record: value })
      }
      return {
        generator: { ...generator?.value, did: 'did:web:elsewhere.test' },
        algorithm: algorithm?.value,
      }
    })
    expect({ attempts, outcome: change.outcome }).toEqual({ attempts: 2, outcome: 'updated' })
    expect((await record(alice.agent, GENERATOR, 'cats')).value).toMatchObject({
      did: 'did:web:elsewhere.test',
      description: 'written meanwhile',
    })
  })
})

describe('import', () => {
  const blocks = [
    { type: 'input', inputType: 'firehose', firehoseSeconds: 86_400 },
    { type: 'regex', value: 'cats?' },
    { type: 'remove', subject: 'where', value: 'likeCount > 3' },
  ]

  it('writes a definition that can be published, and says what was lost', async () => {
    const out = path.join(folder.path, 'imported.json')
    const from = file('skyfeed.json', { blocks })
    const whole = await atoll(['feed', 'import', 'skyfeed', from, '--out', out])
    expect(whole).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining('--partial') })
    const run = await atoll(['feed', 'import', 'skyfeed', from, '--partial', '--out', out])
    expect(run).toMatchObject({
      code: 0,
      stdout: `1 parts were lost, 0 changed. Written to ${out}.\n`,
      stderr: expect.stringMatching(/^lost +blocks\[2\]: a script/),
    })
    expect(await atoll(['feed', 'validate', out])).toMatchObject({ code: 0 })
    const strict = await atoll(['feed', 'import', 'skyfeed', from, '--strict'])
    expect(strict).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringContaining('nothing was written'),
    })
    const nowhere = await atoll(['feed', 'import', 'skyfeed', from, '--partial', '--out', folder.path])
    expect(nowhere).toMatchObject({ code: 1, stderr: expect.stringContaining('Could not write') })
    const wrong = await atoll(['feed', 'import', 'graze', from])
    expect(wrong).toMatchObject({ code: 1, stderr: expect.stringContaining('It has no filter') })
  })

  it('takes the blocks out of a feed’s record, and the feed moves with all that it has', async () => {
    const there = {
      $type: GENERATOR,
      did: 'did:web:skyfeed.example',
      displayName: 'Cats',
      createdAt: '2023-07-01T00:00:00.000Z',
      skyfeedBuilder: { displayName: 'Cats', blocks: blocks.slice(0, 2) },
    }
    const at = { repo: alice.did, collection: GENERATOR, rkey: 'aaac' }
    await alice.agent.com.atproto.repo.putRecord({ ...at, record: there })
    const feed = `at://${alice.did}/${GENERATOR}/aaac`
    const imported = await atoll(['feed', 'import', 'skyfeed', feed, '--json'], as(alice))
    const { definition, name, notes } = imported.json()
    expect({ name, notes }).toEqual({ name: 'Cats', notes: [] })
    const move = ['feed', 'move', 'aaac', '--to', feedgen.url, '--definition', file('aaac.json', definition)]
    expect(await atoll(move, as(alice))).toMatchObject({ code: 0 })
    expect((await record(alice.agent, GENERATOR, 'aaac')).value).toEqual({ ...there, did: HOST_DID })
    expect((await record(alice.agent, ALGORITHM, 'aaac')).value).toEqual(definition)
  })
})
