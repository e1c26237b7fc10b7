/**
 * Strangers: connections that reset, half-close, trickle and garble at random moments, on every
 * kind of path of both services. What they do follows from a seed and their number alone, so that a
 * run can be had again.
 */
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import { endpoints } from '../../pds/xrpc/index.ts'
import { mutate, type Random, seededRandom } from '../support/random.ts'
import { faultsIn, type Holding, holdingOf, type Service, type Services } from './services.ts'

const AT_ONCE = 40
/** No stranger stays longer. */
const VISIT_MS_MAX = 1_000
/** How long a service may take to let go of what strangers held. */
const SETTLE_SECONDS_MAX = 30
/** Engines and caches grow a little with use. */
const GROWTH_MEGABYTES_MAX = 200
const OPEN_FILES_MORE_MAX = 3

export interface StrangersOptions {
  readonly seed: number
  readonly seconds: number
  /** Is told how many came so far, every second. */
  readonly onProgress?: (visits: number) => void
}

/**
 * Lets strangers in for a while.
 * @returns how many came, and what is wrong afterwards, in words
 */
export async function strangers(
  services: Services,
  { seed, seconds, onProgress }: StrangersOptions,
): Promise<{ visits: number; wrong: string[] }> {
  const both = [services.pds, services.feedgen]
  await services.work()
  // Engines compile what is hot and caches fill before anything is compared.
  let visits = await letIn(services, seed ^ 0x5eed, Math.min(5, seconds / 4))
  await services.work()
  const before = new Map(both.map((service) => [service, holdingOf(service)]))
  visits += await letIn(services, seed, seconds, onProgress)
  await services.work()
  const wrong = await Promise.all(both.map((service) => whatIsWrong(service, before.get(service) as Holding)))
  return { visits, wrong: wrong.flat() }
}

/** @returns how many came */
async function letIn(
  { pds, feedgen, user }: Services,
  seed: number,
  seconds: number,
  onProgress?: (visits: number) => void,
): Promise<number> {
  const end = Date.now() + seconds * 1000
  const ended = new Set<string>()
  for (const { name, process } of [pds, feedgen]) process.exited.then(() => ended.add(name))
  const underWay = new Set<number>()
  let visits = 0
  const token = user.agent.session?.accessJwt as string
  const comeAndGo = async () => {
    while (Date.now() < end && ended.size === 0) {
      const number = visits++
      underWay.add(number)
      const random = seededRandom(Math.imul(seed + number, 0x9e3779b1))
      await visit(random.below(4) === 0 ? feedgen : pds, random, token)
      underWay.delete(number)
    }
  }
  const progress = setInterval(() => onProgress?.(visits), 1000)
  await Promise.all(Array.from({ length: AT_ONCE }, comeAndGo))
  clearInterval(progress)
  if (ended.size > 0) {
    const process = ended.has('pds') ? pds.process : feedgen.process
    const last = process.output().slice(-2000)
    throw new Error(
      `${[...ended].join(' and ')} ended; the visits under way: ${[...underWay].join(' ')}\n${last}`,
    )
  }
  return visits
}

async function whatIsWrong(service: Service, before: Holding): Promise<string[]> {
  const deadline = Date.now() + SETTLE_SECONDS_MAX * 1000
  let wrong = differences(service, before)
  while (wrong.length > 0 && Date.now() < deadline) {
    await sleep(500)
    wrong = differences(service, before)
  }
  const faults = faultsIn(service).slice(0, 5)
  return [...wrong, ...faults.map((line) => `logged as a fault: ${line.slice(0, 600)}`)].map(
    (text) => `${service.name}: ${text}`,
  )
}

/** What the ordinary work between the two looks adds. */
const ADDED_BY_WORK = new Set(['record', 'node', 'event', 'posts', 'records'])

function differences(service: Service, before: Holding): string[] {
  const now = holdingOf(service)
  const wrong: string[] = []
  for (const [table, count] of Object.entries(now.rows)) {
    const more = count - (before.rows[table] ?? 0)
    if (more > (ADDED_BY_WORK.has(table) ? 3 : 0)) wrong.push(`${more} more rows in ${table}`)
  }
  const files = now.files.filter((file) => !before.files.includes(file))
  if (files.length > 0) wrong.push(`files left over: ${files.slice(0, 5).join(', ')}`)
  const openFiles = now.openFiles - before.openFiles
  if (openFiles > OPEN_FILES_MORE_MAX) wrong.push(`${openFiles} more open files`)
  const megabytes = now.megabytes - before.megabytes
  if (megabytes > GROWTH_MEGABYTES_MAX) wrong.push(`${Math.round(megabytes)} MB more memory`)
  return wrong
}

/** One stranger: a connection, a request of some sort, an end of some sort. */
async function visit(service: Service, random: Random, token: string): Promise<void> {
  const request = makeRequest(service, random, token)
  const socket = connect({ port: service.port, host: '127.0.0.1' })
  socket.on('error', () => undefined)
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
  const timer = setTimeout(() => socket.destroy(), VISIT_MS_MAX)
  await behave(socket, request, closed, random)
  await closed
  clearTimeout(timer)
}

async function behave(socket: Socket, request: Buffer, closed: Promise<void>, random: Random): Promise<void> {
  const later = (ms: number, act: () => void) => void setTimeout(act, random.below(ms))
  const read = (bytes: Buffer) => {
    socket.write(bytes)
    socket.once('data', () => later(20, () => socket.destroy()))
  }
  switch (random.below(request.includes(UNFINISHED_MARK) ? 5 : 8)) {
    case 0:
    case 1:
      // In the middle of the request, of the answer, or before either.
      socket.write(request.subarray(0, random.below(3) === 0 ? random.below(request.length) : undefined))
      later(30, () => socket.resetAndDestroy())
      return
    case 2:
      socket.end(request)
      later(200, () => socket.destroy())
      return
    case 3: {
      for (let at = 0; at < request.length && !socket.destroyed; ) {
        const count = 1 + random.below(40)
        socket.write(request.subarray(at, at + count))
        at += count
        await Promise.race([sleep(random.below(10)), closed])
      }
      later(100, () => socket.resetAndDestroy())
      return
    }
    case 4:
      // Takes nothing of the answer.
      socket.pause()
      socket.write(request)
      later(300, () => socket.resetAndDestroy())
      return
    case 5:
      return read(mutate(request, random))
    case 6:
      return read(Buffer.concat([request, request, mutate(request, random)]))
    default:
      socket.write(request)
      // Frames of an upgraded connection, or rubbish after the answer.
      socket.on('data', () => {
        if (socket.writable) socket.write(random.bytes(1 + random.below(40)))
      })
      later(150, () => (random.below(2) === 0 ? socket.resetAndDestroy() : socket.destroy()))
  }
}

const PAGES: Record<Service['name'], readonly string[]> = {
  pds: [
    '/',
    '/robots.txt',
    '/xrpc/_health',
    '/tls-check?domain=alice.test',
    '/.well-known/atproto-did',
    '/.well-known/oauth-authorization-server',
    '/.well-known/oauth-protected-resource',
    '/oauth/authorize?client_id=x&request_uri=y',
    '/oauth/par',
    '/oauth/token',
    '/oauth/revoke',
    '/oauth/jwks',
    '/account',
    '/account/security',
    '/account/second-factor',
    '/account/security/password',
    '/@atproto/oauth-provider/~api/sign-in',
    '/@atproto/oauth-provider/~api/device-sessions',
  ],
  feedgen: ['/', '/robots.txt', '/xrpc/_health', '/.well-known/did.json'],
}
const FEED_METHODS = [
  'app.bsky.feed.getFeedSkeleton?feed=at://alice.test/app.bsky.feed.generator/latest&limit=50',
  'app.bsky.feed.describeFeedGenerator',
  'app.bsky.feed.sendInteractions',
  ...['preview', 'explain', 'backtest', 'getAlgorithm', 'listAlgorithms'].map(
    (name) => `social.atoll.feed.${name}`,
  ),
]
const METHODS: Record<Service['name'], readonly string[]> = {
  pds: Object.keys(endpoints),
  feedgen: FEED_METHODS,
}
const SUBSCRIBE = '/xrpc/com.atproto.sync.subscribeRepos'
/** Called by an account, and never to the end: what they would leave is no stranger's. */
const UNFINISHED = ['com.atproto.repo.uploadBlob', 'com.atproto.repo.importRepo']
const UNSENT_BYTES = 1_000_000
/** In the head of such a request, which is not garbled: by chance it would be whole. */
const UNFINISHED_MARK = 'X-Unfinished: 1'
const ODD_PATHS = [
  '//',
  '/%',
  '/xrpc/',
  '/xrpc/%00',
  '/xrpc/foo.bar.baz',
  `/${'x/'.repeat(5_000)}`,
  '*',
  '/../../etc',
]
const VERBS = [
  'GET',
  'GET',
  'GET',
  'POST',
  'POST',
  'POST',
  'HEAD',
  'PUT',
  'DELETE',
  'OPTIONS',
  'TRACE',
  'CONNECT',
  'QUERY',
]
const HOSTS = [
  'localhost',
  'alice.test',
  '',
  ',',
  ':99999',
  '[::1',
  'a b',
  'x'.repeat(3_000),
  '%00',
  'alice.test:0',
]
const FORWARDED = [
  'X-Forwarded-For: ,,,',
  'X-Forwarded-For: 203.0.113.7, 10.0.0.1',
  'X-Forwarded-For: unknown, ::ffff:999.1.1.1',
  `X-Forwarded-For: ${'::1,'.repeat(500)}`,
  'X-Forwarded-Host: ,x',
  'X-Forwarded-Host: ,',
  'X-Forwarded-Proto: https, , gopher',
  'X-Forwarded-Port: 99999999',
  'Forwarded: for="[::1]:99999999";host=",";proto=\x7f',
  'Forwarded: for=_hidden;by=;;;=,',
]
const CREDENTIALS = [
  'Bearer x',
  'Bearer a.b.c',
  'Bearer',
  'DPoP x',
  'Basic !!!',
  'Basic YWRtaW46',
  'Negotiate \xff',
]
const TYPES = [
  'application/json',
  'application/vnd.ipld.car',
  'image/png',
  '*/*',
  'multipart/form-data; boundary=',
  'application/x-www-form-urlencoded',
  ';;;',
]
const ENCODINGS = ['gzip', 'gzip, gzip', 'br', 'deflate', 'zstd', 'x']
const CURSORS = [
  '',
  '?cursor=0',
  '?cursor=-1',
  '?cursor=abc',
  `?cursor=${'9'.repeat(30)}`,
  '?cursor=1&cursor=2',
]

function makeRequest(service: Service, random: Random, token: string): Buffer {
  const chance = (oneIn: number) => random.below(oneIn) === 0
  const method = random.pick(METHODS[service.name])
  const isUpgrade = chance(4)
  const target =
    isUpgrade && chance(2)
      ? SUBSCRIBE + random.pick(CURSORS)
      : chance(8)
        ? random.pick(ODD_PATHS)
        : chance(3)
          ? random.pick(PAGES[service.name])
          : `/xrpc/${method}${chance(3) ? '?did=did:plc:x&limit=1e9&cursor=%ff' : ''}`
  const isUnfinished = service.name === 'pds' && UNFINISHED.includes(method) && target.includes(method)
  const lines = [
    `${isUnfinished ? 'POST' : random.pick(VERBS)} ${target} HTTP/${chance(8) ? random.pick(['1.0', '0.9', '2.0', '9']) : '1.1'}`,
  ]
  if (!chance(8)) lines.push(`Host: ${chance(3) ? random.pick(HOSTS) : `localhost:${service.port}`}`)
  if (chance(4)) lines.push(random.pick(FORWARDED))
  if (isUnfinished) lines.push(UNFINISHED_MARK, `Authorization: Bearer ${token}`)
  else if (chance(3)) lines.push(`Authorization: ${random.pick(CREDENTIALS)}`)
  if (chance(6))
    lines.push(`atproto-proxy: ${random.pick(['did:web:x#y', '#', 'did:plc:x', 'x'.repeat(900)])}`)
  if (chance(6))
    lines.push(`Cookie: ${random.pick(['dev-id=dev-0; ses-id=ses-0', '=;=', `a=${'b'.repeat(2_000)}`])}`)
  if (isUpgrade) {
    lines.push(
      'Connection: Upgrade',
      `Upgrade: ${chance(4) ? 'h2c' : 'websocket'}`,
      'Sec-WebSocket-Version: 13',
    )
    if (!chance(4)) lines.push(`Sec-WebSocket-Key: ${random.bytes(16).toString('base64')}`)
  } else if (chance(4)) lines.push(`Connection: ${random.pick(['close', 'keep-alive', 'x'])}`)
  if (chance(2) && !isUnfinished) return Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1')
  const body = makeBody(random)
  lines.push(`Content-Type: ${random.pick(TYPES)}`)
  if (chance(3)) lines.push(`Content-Encoding: ${random.pick(ENCODINGS)}`)
  if (chance(8)) lines.push('Expect: 100-continue')
  const unsent = isUnfinished ? UNSENT_BYTES : random.pick([0, 0, 0, 0, 1_000, -1])
  lines.push(
    !isUnfinished && chance(5) ? 'Transfer-Encoding: chunked' : `Content-Length: ${body.length + unsent}`,
  )
  return Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), body])
}

function makeBody(random: Random): Buffer {
  switch (random.below(7)) {
    case 0:
      return Buffer.from('{}')
    case 1:
      return Buffer.from('['.repeat(10_000))
    case 2:
      return Buffer.from(`${'{"a":'.repeat(3_000)}1${'}'.repeat(3_000)}`)
    case 3:
      return random.bytes(200)
    case 4:
      return gzipSync(Buffer.alloc(1024 ** 2))
    case 5:
      return Buffer.from(
        JSON.stringify({ identifier: 'x'.repeat(random.below(5_000)), password: '', did: 1, feed: [] }),
      )
    default:
      return Buffer.from('5\r\nhello\r\nffffffffff\r\n')
  }
}
