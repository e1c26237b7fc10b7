/** The firehose as its consumers see it: the official client, and sockets that misbehave. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import path from 'node:path'
import type { ComAtprotoRepoApplyWrites as ApplyWrites } from '@atproto/api'
import { IdResolver } from '@atproto/identity'
import {
  MemoryBlockstore,
  Repo,
  readCar as readCarOfReference,
  verifyDiffCar,
  verifyProofs,
} from '@atproto/repo'
import { type Event, Firehose as OfficialClient } from '@atproto/sync'
import Database from 'better-sqlite3'
import { CID } from 'multiformats/cid'
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest'
import { markCaller, type Trust } from '#platform/callers.ts'
import { logger } from '#platform/log.ts'
import { readCar } from '#protocol/car.ts'
import { cidToBytes, formatCid } from '#protocol/cid.ts'
import { decodeCommit, verifyCommit } from '#protocol/commit.ts'
import type { CommitEvent } from '#protocol/frame.ts'
import { nodesOf } from '#protocol/mst/node.ts'
import { invertOps } from '#protocol/mst/tree.ts'
import { Firehose } from '../../../pds/firehose/firehose.ts'
import { SUBSCRIBE_PATH, Subscribers, type SubscribersOptions } from '../../../pds/firehose/subscribe.ts'
import { Store } from '../../../pds/store/store.ts'
import { createUser, type InProcessPds, startPds, type TestUser } from '../../support/pds.ts'
import { type PlcDirectory, startPlc } from '../../support/plc.ts'
import { temporaryFolder } from '../../support/processes.ts'
import { seededRandom } from '../../support/random.ts'
import { Subscriber, seqOf } from '../../support/subscriber.ts'
import { waitFor } from '../../support/waiting.ts'

let plc: PlcDirectory
let pds: InProcessPds
let identities: IdResolver

beforeAll(async () => {
  plc = await startPlc()
  pds = await startPds({ plcUrl: plc.url })
  identities = new IdResolver({ plcUrl: plc.url, fetch: globalThis.fetch })
})
afterAll(async () => {
  await pds?.[Symbol.asyncDispose]()
  await plc?.[Symbol.asyncDispose]()
})

let count = 0
const newUser = (): Promise<TestUser> => createUser(pds, `user${++count}`)
const keyOf = (did: string) => identities.did.resolveAtprotoKey(did, true)
const subscribe = (cursor?: number | string): Promise<Subscriber> => listen(pds.url, cursor)

async function listen(url: string, cursor?: number | string, options = {}): Promise<Subscriber> {
  const subscriber = await Subscriber.connect(url, cursor, options)
  onTestFinished(() => subscriber[Symbol.dispose]())
  return subscriber
}

/** The frames in the database's file. */
function storedFrames(folder: string): Buffer[] {
  using db = disposable(new Database(path.join(folder, 'atoll.sqlite'), { readonly: true }))
  return db.prepare<[], Buffer>('SELECT frame FROM event ORDER BY seq').pluck().all()
}

const disposable = (db: Database.Database) => Object.assign(db, { [Symbol.dispose]: () => db.close() })

describe('the official client', () => {
  test('follows accounts, records and handles, and verifies all of it', async () => {
    const events: Event[] = []
    const errors: Error[] = []
    let arrived = Promise.withResolvers<void>()
    const until = async (isEnough: () => boolean) => {
      while (!isEnough() && errors.length === 0) await arrived.promise
    }
    // Handles of .test are nowhere in the DNS: they are asked of the server that gives them out.
    vi.spyOn(identities.handle, 'resolve').mockImplementation(async (handle) => {
      const response = await fetch(`${pds.url}/xrpc/com.atproto.identity.resolveHandle?handle=${handle}`)
      return ((await response.json()) as { did?: string }).did
    })
    const client = new OfficialClient({
      service: pds.url.replace('http', 'ws'),
      idResolver: identities,
      getCursor: () => 0,
      handleEvent: (event) => {
        events.push(event)
        arrived.resolve()
        arrived = Promise.withResolvers()
      },
      onError: (error) => {
        errors.push(error)
        arrived.resolve()
      },
    })
    const running = client.start()
    onTestFinished(async () => {
      await client.destroy()
      await running
      vi.restoreAllMocks()
    })

    const { agent, did, handle } = await newUser()
    const { uri } = await agent.post({ text: 'one' })
    await agent.upsertProfile(() => ({ displayName: 'A' }))
    await agent.upsertProfile(() => ({ displayName: 'B' }))
    await agent.deletePost(uri)
    await agent.updateHandle({ handle: `new-${handle}` })
    const mine = () => events.filter((event) => event.did === did)
    await until(() => mine().length >= 8)
    expect(errors).toEqual([])
    expect(mine().map(summary)).toEqual([
      { event: 'identity', handle },
      { event: 'account', active: true },
      { event: 'sync' },
      { event: 'create', uri, record: expect.objectContaining({ text: 'one' }) },
      { event: 'create', uri: profileOf(did), record: expect.objectContaining({ displayName: 'A' }) },
      { event: 'update', uri: profileOf(did), record: expect.objectContaining({ displayName: 'B' }) },
      { event: 'delete', uri },
      { event: 'identity', handle: `new-${handle}` },
    ])
  })

  const profileOf = (did: string) => `at://${did}/app.bsky.actor.profile/self`

  function summary(event: Event): object {
    switch (event.event) {
      case 'identity':
        return { event: event.event, handle: event.handle }
      case 'account':
        return { event: event.event, active: event.active }
      case 'sync':
        return { event: event.event }
      case 'delete':
        return { event: event.event, uri: event.uri.toString() }
      default:
        return { event: event.event, uri: event.uri.toString(), record: event.record }
    }
  }
})

describe('commits', () => {
  /** Writes of every kind, at random: keys come, change, go and come again. */
  async function randomHistory({ agent, did }: TestUser, commits: number): Promise<void> {
    const random = seededRandom(7)
    const present = new Set<string>()
    for (let n = 0; n < commits; n++) {
      const writes: ApplyWrites.InputSchema['writes'] = []
      const touched = new Set<string>()
      for (let left = n % 10 === 0 ? 60 : 1 + random.below(3); left > 0; left--) {
        const rkey = `key-${random.below(150)}`
        if (touched.has(rkey)) continue
        touched.add(rkey)
        const collection = random.below(10) === 0 ? 'com.example.things' : 'com.example.other'
        const id = `${collection}/${rkey}`
        const value = { $type: collection, n, text: 'x'.repeat(random.below(200)) }
        if (!present.has(id)) {
          writes.push({ $type: 'com.atproto.repo.applyWrites#create', collection, rkey, value })
          present.add(id)
        } else if (random.below(2) === 0) {
          writes.push({ $type: 'com.atproto.repo.applyWrites#update', collection, rkey, value })
        } else {
          writes.push({ $type: 'com.atproto.repo.applyWrites#delete', collection, rkey })
          present.delete(id)
        }
      }
      await agent.com.atproto.repo.applyWrites({ repo: did, writes })
    }
  }

  test('of a random history invert to the one before, and verify', async () => {
    const user = await newUser()
    const { did } = user
    const commits = 120
    await randomHistory(user, commits)
    const subscriber = await subscribe(0)
    const mine = () =>
      subscriber.events.filter((event): event is CommitEvent => event.kind === 'commit' && event.repo === did)
    await subscriber.seq(lastSeq())
    const events = mine()
    expect(events).toHaveLength(1 + commits)

    const key = await keyOf(did)
    const storage = new MemoryBlockstore()
    let repo: Repo | undefined
    let before: { rev: string; data: string } | undefined
    for (const event of events) {
      const { roots, blocks } = readCar(event.blocks)
      expect(roots).toEqual([event.commit])
      const commit = decodeCommit(blocks.get(event.commit) as Uint8Array)
      expect(commit).toMatchObject({ did, version: 3, rev: event.rev, prev: null })
      expect(verifyCommit(commit, key)).toBe(true)
      expect(event).toMatchObject({ since: before?.rev ?? null, rebase: false, tooBig: false })
      if (before !== undefined) {
        expect(event.prevData && formatCid(event.prevData)).toBe(before.data)
        expect(event.rev > before.rev).toBe(true)
        const ops = event.ops.map(({ path, cid, prev }) => ({ key: path, value: cid, prev: prev ?? null }))
        expect(invertOps(nodesOf(blocks), commit.data, ops)).toBe(event.prevData)
        for (const { action, prev, cid } of event.ops) {
          expect(prev !== undefined).toBe(action !== 'create')
          expect(cid === null).toBe(action === 'delete')
        }
      }
      before = { rev: event.rev, data: formatCid(commit.data) }

      // The same with the reference's own library: each op is proved, and the commits make a
      // repository.
      const claims = event.ops.map(({ path, cid }) => {
        const [collection, rkey] = path.split('/')
        return { collection, rkey, cid: cid && CID.decode(cidToBytes(cid)) } as never
      })
      const { verified } = await verifyProofs(event.blocks, claims, did, key)
      expect(verified).toHaveLength(claims.length)
      if (repo === undefined) {
        const car = await readCarOfReference(event.blocks)
        await storage.putMany(car.blocks)
        repo = await Repo.load(storage, car.roots[0])
      } else {
        const diff = await verifyDiffCar(repo, event.blocks, did, key)
        expect(diff.writes).toHaveLength(event.ops.length)
        repo = await repo.applyCommit(diff.commit)
      }
    }
    const head = (await user.agent.com.atproto.sync.getLatestCommit({ did })).data
    expect(repo?.cid.toString()).toBe(head.cid)
  })
})

const lastSeq = () => storedFrames(pds.folder).map(seqOf).at(-1) as number

describe('a cursor', () => {
  test('replays what was sent live, byte for byte, and what is stored', async () => {
    const live = await subscribe()
    const { agent } = await newUser()
    for (let n = 0; n < 20; n++) await agent.post({ text: `post ${n}` })
    const tip = lastSeq()
    await live.seq(tip)
    const replayed = await subscribe(0)
    await replayed.seq(tip)
    const stored = storedFrames(pds.folder)
    expect(Buffer.concat(replayed.frames).equals(Buffer.concat(stored))).toBe(true)
    expect(Buffer.concat(live.frames).equals(Buffer.concat(stored.slice(-live.frames.length)))).toBe(true)
    expect(live.frames.length).toBe(24)
    const middle = seqOf(live.frames[10] as Buffer)
    const rest = await subscribe(middle)
    await rest.seq(tip)
    expect(Buffer.concat(rest.frames).equals(Buffer.concat(live.frames.slice(11)))).toBe(true)
  })

  test('that is absent, or the last, gives what comes after', async () => {
    const { agent, did } = await newUser()
    const tip = lastSeq()
    const subscribers = [await subscribe(), await subscribe(tip)]
    await agent.post({ text: 'new' })
    for (const subscriber of subscribers) {
      await subscriber.count(1)
      expect(subscriber.events).toMatchObject([{ kind: 'commit', repo: did, seq: tip + 1 }])
    }
  })

  test('in the future is refused', async () => {
    const subscriber = await subscribe(lastSeq() + 1)
    expect(await subscriber.closed).toMatchObject({ code: 1008 })
    expect(subscriber.events).toEqual([
      { kind: 'error', error: 'FutureCursor', message: 'Cursor in the future.' },
    ])
  })

  test.each(['x', '1.5', '1e3', '99999999999999999999', '0x10'])(
    'that is no number is refused: "%s"',
    async (cursor) => {
      const subscriber = await subscribe(cursor)
      expect(await subscriber.closed).toMatchObject({ code: 1008 })
      expect(subscriber.events).toMatchObject([{ kind: 'error', error: 'InvalidRequest' }])
    },
  )

  test('from before the window gets OutdatedCursor and begins where the window does', async () => {
    await using pds = await startPds({ plcUrl: plc.url, env: { PDS_REPO_BACKFILL_LIMIT_MS: '3600000' } })
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() - 2 * 3_600_000 })
    onTestFinished(() => {
      vi.useRealTimers()
    })
    await createUser(pds, 'old')
    vi.useRealTimers()
    const { did, agent } = await createUser(pds, 'young')
    for (const [cursor, isOutdated] of [
      [0, true],
      [2, true],
      [3, true],
      [4, false],
      [5, false],
    ] as const) {
      const subscriber = await listen(pds.url, cursor)
      await subscriber.seq(8)
      const [first, ...rest] = subscriber.events
      const info = {
        kind: 'info',
        name: 'OutdatedCursor',
        message: 'Requested cursor exceeded limit. Possibly missing events',
      }
      if (isOutdated) expect(first).toEqual(info)
      const events = isOutdated ? rest : subscriber.events
      expect(events[0]).toMatchObject({ seq: Math.max(5, cursor + 1) })
      expect(events.at(-1)).toMatchObject({ kind: 'sync', seq: 8, did })
    }
    // When all of it is too old, what comes next is new.
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 2 * 3_600_000 })
    const subscriber = await listen(pds.url, 0)
    await subscriber.count(1)
    expect(subscriber.events).toMatchObject([{ kind: 'info', name: 'OutdatedCursor' }])
    vi.useRealTimers()
    await agent.post({ text: 'new' })
    await subscriber.count(2)
    expect(subscriber.events.at(-1)).toMatchObject({ kind: 'commit', seq: 9 })
  })
})

describe('subscribers', () => {
  /** A firehose of its own with events of a size, served under the given limits. */
  async function serve(
    events: number,
    bytes: number,
    { isTrusted = () => true, ...limits }: Partial<SubscribersOptions> & { isTrusted?: Trust } = {},
  ) {
    const folder = temporaryFolder()
    const store = new Store({
      path: path.join(folder.path, 'db.sqlite'),
      onFatal: (error) => {
        throw error
      },
    })
    const firehose = new Firehose(store.events)
    const append = (n: number) =>
      store.db.write((tx) =>
        firehose.append(tx, 1, {
          kind: 'identity',
          did: 'did:plc:aaaaaaaaaaaaaaaaaaaaaaaa',
          handle: `${n}-${'x'.repeat(bytes)}`,
        }),
      )
    for (let n = 0; n < events; n++) await append(n)
    const subscribers = new Subscribers({
      firehose,
      log: logger('test'),
      backfillMsMax: 86_400_000,
      ...limits,
    })
    const http = createServer().listen(0, '127.0.0.1')
    await once(http, 'listening')
    http.on('upgrade', (request, socket, head) => {
      markCaller(request, isTrusted)
      subscribers.upgrade(request, socket, head)
    })
    onTestFinished(async () => {
      await subscribers[Symbol.asyncDispose]()
      http.close()
      store[Symbol.dispose]()
      folder[Symbol.dispose]()
    })
    const { port } = http.address() as AddressInfo
    const frames = () => storedFramesOf(path.join(folder.path, 'db.sqlite'))
    return { url: `http://127.0.0.1:${port}`, port, subscribers, append, frames }
  }

  function storedFramesOf(file: string): Buffer[] {
    using db = disposable(new Database(file, { readonly: true }))
    return db.prepare<[], Buffer>('SELECT frame FROM event ORDER BY seq').pluck().all()
  }

  const same = (one: readonly Buffer[], other: readonly Buffer[]) =>
    Buffer.concat(one).equals(Buffer.concat(other))

  /** A subscriber that reads nothing after its request, as raw bytes. */
  async function paused(port: number, cursor: number): Promise<Socket> {
    const socket = connect(port, '127.0.0.1')
    onTestFinished(() => {
      socket.destroy()
    })
    socket.on('error', () => undefined)
    socket.pause()
    socket.write(
      `GET ${SUBSCRIBE_PATH}?cursor=${cursor} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
        'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
    )
    return socket
  }

  /** More than the kernel takes for a connection whose other end reads nothing. */
  const MUCH = { events: 64, bytes: 512 * 1024 }

  test('of fifty, each from its own cursor, get the same bytes', async () => {
    const { url, append, frames, subscribers } = await serve(200, 100)
    const all = await Promise.all(Array.from({ length: 50 }, (_, n) => listen(url, n * 4)))
    for (let n = 0; n < 50; n++) await append(200 + n)
    await Promise.all(all.map((subscriber) => subscriber.seq(250)))
    const stored = frames()
    for (const [n, subscriber] of all.entries())
      expect(same(subscriber.frames, stored.slice(n * 4))).toBe(true)
    expect(subscribers.count).toBe(50)
  })

  test('that read slowly get everything', async () => {
    const { url, frames } = await serve(MUCH.events, MUCH.bytes)
    const slow = await listen(url, 0)
    for (let n = 1; n <= MUCH.events; n++) {
      await slow.count(n)
      slow.socket.pause()
      await new Promise((resolve) => setImmediate(resolve))
      slow.socket.resume()
    }
    expect(same(slow.frames, frames())).toBe(true)
  })

  test('that read nothing get ConsumerTooSlow and are disconnected; others do not notice', async () => {
    const { url, port, frames, subscribers } = await serve(MUCH.events, MUCH.bytes, { stallSecondsMax: 1 })
    const dead = await paused(port, 0)
    const good = await listen(url, 0)
    await good.seq(MUCH.events)
    expect(same(good.frames, frames())).toBe(true)
    await waitFor(() => expect(subscribers.count).toBe(1))
    expect(dead.destroyed).toBe(false)
    expect(good.socket.readyState).toBe(good.socket.OPEN)
  })

  test('that wake up after their time find the reason', async () => {
    const turnedAway = Promise.withResolvers<void>()
    const log = logger('test').child({})
    vi.spyOn(log, 'info').mockImplementation((fields) => {
      if ((fields as { reason?: string }).reason === 'ConsumerTooSlow') turnedAway.resolve()
    })
    const { url } = await serve(MUCH.events, MUCH.bytes, { stallSecondsMax: 1, log })
    const late = await listen(url, 0)
    late.socket.pause()
    await turnedAway.promise
    late.socket.resume()
    expect(await late.closed).toEqual({ code: 1008, reason: 'ConsumerTooSlow' })
    expect(late.events.at(-1)).toEqual({
      kind: 'error',
      error: 'ConsumerTooSlow',
      message: 'Stream consumer too slow',
    })
    const seqs = late.frames.slice(0, -1).map(seqOf)
    expect(seqs, 'what it got before is whole').toEqual(seqs.map((_, n) => n + 1))
    expect(seqs.length).toBeLessThan(MUCH.events)
  })

  test('that do not answer a ping are disconnected', async () => {
    const { url, subscribers } = await serve(3, 10, { pingSeconds: 0.4 })
    const mute = await listen(url, 0, { autoPong: false })
    const alive = await listen(url, 0)
    let pings = 0
    alive.socket.on('ping', () => pings++)
    expect(await mute.closed).toMatchObject({ code: 1006 })
    await waitFor(() => expect(pings).toBeGreaterThan(3))
    expect(alive.socket.readyState).toBe(alive.socket.OPEN)
    expect(subscribers.count).toBe(1)
  })

  test('are as many as the limit says', async () => {
    const { url } = await serve(1, 10, { subscribersMax: 2 })
    const [first] = [await listen(url), await listen(url)]
    await expect(listen(url)).rejects.toThrow('503')
    first.socket.close()
    await first.closed
    await waitFor(() => listen(url))
  })

  test('of one network are as many as its share', async () => {
    const { url } = await serve(1, 10, { networkSubscribersMax: 2, isTrusted: () => false })
    const [first] = [await listen(url), await listen(url)]
    await expect(listen(url)).rejects.toThrow('429')
    first.socket.close()
    await first.closed
    await waitFor(() => listen(url))
  })

  test('that talk are not listened to', async () => {
    const { url, append } = await serve(1, 10)
    const talker = await listen(url, 0)
    await talker.count(1)
    talker.socket.send('hello')
    await append(1)
    await talker.count(2)
    talker.socket.send('x'.repeat(100_000))
    expect(await talker.closed).toMatchObject({ code: 1009 })
  })

  test('are closed with 1001 when the server stops', async () => {
    const { url, subscribers } = await serve(1, 10)
    const subscriber = await listen(url)
    await subscribers[Symbol.asyncDispose]()
    expect(await subscriber.closed).toMatchObject({ code: 1001 })
    await expect(listen(url)).rejects.toThrow('503')
  })
})
