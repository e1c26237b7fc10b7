/** Pages of feeds over a large index, asked for with a fresh token each, while events come in. */
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Pool } from 'undici'
import { Author, randomPlcDid } from '../../../test/support/author.ts'
import { startDirectory } from '../../../test/support/directory.ts'
import { startRelay } from '../../../test/support/relay.ts'
import { startProcess } from '../../processes.ts'
import { residentBytes } from '../server.ts'
import { makeFirehose } from './firehose.ts'
import { type IndexSize, loadIndex } from './load.ts'

export interface ReadOptions extends IndexSize {
  /** Where the index is made. */
  folder: string
  /** How long each way of asking is measured. */
  seconds: number
  /** Requests that are due each second in the paced part. */
  rate: number
}

const METHOD = 'app.bsky.feed.getFeedSkeleton'
const SERVICE_DID = 'did:web:feeds.bench.test'
const viewersCount = 200
/** What goes by on the network. */
const eventsPerSecond = 300
/** Asking as fast as answers come, so many at a time. */
const askersCount = 16
const connectionsMax = 64
const tokenSeconds = 900
const warmUpSeconds = 3
/** More than are asked for in a second of the part without a pace. */
const tokensPerSecondMax = 8000
const tickMs = 5

/** Makes the index, measures and prints. */
export async function benchReads({ folder, seconds, rate, ...size }: ReadOptions): Promise<void> {
  const viewers = Array.from({ length: viewersCount }, () => new Author())
  const file = path.join(folder, 'large.sqlite')
  const began = performance.now()
  await loadIndex(
    file,
    size,
    viewers.map(({ did }) => did),
  )
  const made = ((performance.now() - began) / 1000).toFixed(0)
  console.log(`${format(size.posts)} posts and ${format(size.likes)} likes, made in ${made} s`)

  const publisher = new Author({ did: randomPlcDid() })
  const firehose = makeFirehose(eventsPerSecond * (seconds * 2 + warmUpSeconds + 20))
  const all = [...viewers, ...firehose.authors, publisher]
  await using directory = await startDirectory(all.map(({ did, document }) => [did, document]))
  await using relay = await startRelay()
  await using feedgen = await startProcess({
    file: 'feedgen/main.ts',
    env: {
      PATH: process.env.PATH,
      NODE_ENV: 'production',
      LOG_ENABLED: 'false',
      FEEDGEN_PORT: '0',
      FEEDGEN_HOSTNAME: 'feeds.bench.test',
      FEEDGEN_DEV_MODE: 'true',
      FEEDGEN_BACKFILL: 'false',
      FEEDGEN_DATA_DIRECTORY: folder,
      FEEDGEN_SQLITE_LOCATION: file,
      FEEDGEN_PUBLISHER_DID: publisher.did,
      FEEDGEN_SUBSCRIPTION_ENDPOINT: relay.url,
      PDS_DID_PLC_URL: directory.url,
    },
    ready: /^feed generator at/m,
  })
  const [origin] = /http:\S+/.exec(feedgen.output()) as RegExpExecArray
  relay.emit(publisher.commit(colikeFeed))
  await using asker = new Asker(origin, viewers)
  await asker.served(feedUri(publisher, 'colikes'))

  const stopping = new AbortController()
  const emitting = emitAll(firehose.frames, (frame) => relay.send(frame), stopping.signal)
  const hot = feedUri(publisher, 'hot')
  const tokens = Math.ceil(tokensPerSecondMax * seconds)
  await asker.asFastAsAnswered(hot, warmUpSeconds, tokensPerSecondMax * warmUpSeconds)
  show('as fast as answers come', await asker.asFastAsAnswered(hot, seconds, tokens))
  show(`${format(rate)} a second`, await asker.paced(hot, seconds, rate))
  show('co-likes, first page of each viewer', await asker.oneByOne(feedUri(publisher, 'colikes')))
  stopping.abort()
  const emitted = await emitting
  console.log(`events sent meanwhile: ${emitted.toFixed(0)} a second`)
  console.log(`memory of the feed generator: ${Math.round(residentBytes(feedgen.pid) / 1e6)} MB`)
}

/** A feed of what those liked who liked what the viewer liked. */
const colikeFeed = {
  'social.atoll.feed.algorithm/colikes': {
    sources: [
      {
        $type: 'social.atoll.feed.sources#colikers',
        seed: { $type: 'social.atoll.feed.sources#viewerLikes' },
        windowHours: 120,
      },
    ],
    score: {
      order: 'score',
      terms: [{ $type: 'social.atoll.feed.score#colike', weightMilli: 1000 }],
      fade: { $type: 'social.atoll.feed.score#decay', halfLifeHours: 24 },
    },
    viewer: { hide: ['seen', 'liked', 'own', 'blocked'] },
    createdAt: '2026-11-01T00:00:00.000Z',
  },
  'app.bsky.feed.generator/colikes': {
    did: SERVICE_DID,
    displayName: 'Co-likes',
    createdAt: '2026-11-01T00:00:00.000Z',
  },
}

/** How long each answer took, in milliseconds, and how long all together. */
interface Measured {
  times: number[]
  seconds: number
}

/** Asks for pages in the names of viewers, in turn. */
class Asker implements AsyncDisposable {
  readonly #pool: Pool
  readonly #viewers: readonly Author[]
  #serial = 0

  constructor(origin: string, viewers: readonly Author[]) {
    this.#pool = new Pool(origin, { connections: connectionsMax, pipelining: 1 })
    this.#viewers = viewers
  }

  /** Resolves once the feed is there. */
  async served(feed: string): Promise<void> {
    while ((await this.#ask(feed, this.#token())).status !== 200) await sleep(50)
  }

  /** Several at a time, each asking again once it is answered; tokens are made before. */
  async asFastAsAnswered(feed: string, seconds: number, tokensCount: number): Promise<Measured> {
    const tokens = this.#tokens(tokensCount)
    const until = performance.now() + seconds * 1000
    return measured(async (times) => {
      const askers = Array.from({ length: askersCount }, async () => {
        for (let token = tokens.pop(); token && performance.now() < until; token = tokens.pop())
          times.push(await this.#time(feed, token, performance.now()))
      })
      await Promise.all(askers)
    })
  }

  /** At a pace of its own; an answer's time counts from when it was due to be asked for. */
  async paced(feed: string, seconds: number, rate: number): Promise<Measured> {
    const tokens = this.#tokens(rate * seconds)
    return measured(async (times) => {
      const start = performance.now()
      const asked: Promise<unknown>[] = []
      while (tokens.length > 0) {
        const due = Math.floor(((performance.now() - start) / 1000) * rate)
        while (asked.length < due && tokens.length > 0) {
          const dueAt = start + (asked.length / rate) * 1000
          const token = tokens.pop() as string
          asked.push(this.#time(feed, token, dueAt).then((time) => times.push(time)))
        }
        await sleep(1)
      }
      await Promise.all(asked)
    })
  }

  /** Once for each viewer. */
  async oneByOne(feed: string): Promise<Measured> {
    const tokens = this.#tokens(this.#viewers.length)
    return measured(async (times) => {
      for (const token of tokens) times.push(await this.#time(feed, token, performance.now()))
    })
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#pool.destroy()
  }

  async #time(feed: string, token: string, since: number): Promise<number> {
    const { status, text } = await this.#ask(feed, token)
    if (status !== 200 || !text.includes('"post"'))
      throw new Error(`answered ${status}: ${text.slice(0, 300)}`)
    return performance.now() - since
  }

  async #ask(feed: string, token: string): Promise<{ status: number; text: string }> {
    const { statusCode, body } = await this.#pool.request({
      method: 'GET',
      path: `/xrpc/${METHOD}?feed=${encodeURIComponent(feed)}&limit=50`,
      headers: { authorization: `Bearer ${token}` },
    })
    return { status: statusCode, text: await body.text() }
  }

  #tokens(count: number): string[] {
    return Array.from({ length: count }, () => this.#token())
  }

  #token(): string {
    const { did, key } = this.#viewers[this.#serial++ % this.#viewers.length] as Author
    const now = Math.floor(Date.now() / 1000)
    const claims = { iss: did, aud: SERVICE_DID, lxm: METHOD, iat: now, exp: now + tokenSeconds }
    const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
    const signed = `${encode({ typ: 'JWT', alg: 'ES256K' })}.${encode({ ...claims, jti: String(this.#serial) })}`
    return `${signed}.${Buffer.from(key.sign(Buffer.from(signed))).toString('base64url')}`
  }
}

async function measured(work: (times: number[]) => Promise<void>): Promise<Measured> {
  const times: number[] = []
  const began = performance.now()
  await work(times)
  return { times, seconds: (performance.now() - began) / 1000 }
}

/**
 * Sends frames at the network's pace until it is told to stop; resolves with how many there were a
 * second.
 */
async function emitAll(
  frames: readonly Buffer[],
  send: (frame: Buffer) => void,
  signal: AbortSignal,
): Promise<number> {
  const start = performance.now()
  const passed = () => (performance.now() - start) / 1000
  let sent = 0
  while (!signal.aborted && sent < frames.length) {
    for (; sent < Math.min(passed() * eventsPerSecond, frames.length); sent++) send(frames[sent] as Buffer)
    await sleep(tickMs)
  }
  return sent / passed()
}

function show(name: string, { times, seconds }: Measured): void {
  const sorted = times.toSorted((a, b) => a - b)
  const at = (share: number) => `${(sorted[Math.floor((sorted.length - 1) * share)] ?? 0).toFixed(1)} ms`
  const rate = `${format(Math.round(times.length / seconds))} requests/s`
  console.log(`${name.padEnd(38)}${rate.padStart(18)}   median ${at(0.5)}, p99 ${at(0.99)}, longest ${at(1)}`)
}

function feedUri({ did }: Author, rkey: string): string {
  return `at://${did}/app.bsky.feed.generator/${rkey}`
}

function format(value: number): string {
  return value.toLocaleString('en')
}
