/**
 * The two servers that are compared, brought into the same state, and what is compared of their answers.
 *
 * What differs by nature (DIDs, CIDs, revisions, times, tokens, ports) is replaced by its kind before answers are compared.
 */
import { createHash } from 'node:crypto'
import path from 'node:path'
import Database from 'better-sqlite3'
import { SignJWT, UnsecuredJWT } from 'jose'
import { Agent, request } from 'undici'
import { type Car, readCar } from '#protocol/car.ts'
import { formatCid } from '#protocol/cid.ts'
import { type InProcessPds, PASSWORD, pdsEnv, secrets, startPds } from '../support/pds.ts'
import { type PlcDirectory, startPlc } from '../support/plc.ts'
import { temporaryFolder } from '../support/processes.ts'
import { type ReferencePds, startReferencePds } from '../support/reference-pds.ts'

/** What is asked of a server. */
export interface Ask {
  readonly verb?: string
  /** An NSID, or a path that begins with a slash. */
  readonly path: string
  /** Ready for use, or pairs that are encoded. */
  readonly query?: string | readonly (readonly [string, unknown])[]
  readonly headers?: Record<string, string | undefined>
  /** Bytes as they are; anything else is sent as JSON. */
  readonly body?: unknown
}

/** What it answers, as far as a client depends on it. */
export interface Answer {
  readonly status: number
  /** JSON, with what differs by nature named by its kind; other bodies by their type. */
  readonly body: unknown
  readonly headers: Record<string, string | undefined>
}

/** An account on both servers. */
export interface User {
  readonly did: string
  readonly handle: string
  readonly access: string
  readonly refresh: string
}

/** One of the servers, and what a test needs to know of it. */
export interface Peer {
  readonly url: string
  readonly users: Readonly<Record<UserName, User>>
  /** The CID of a blob of alice's that a record refers to, and one that none refers to. */
  readonly blob: string
  readonly looseBlob: string
  /** The CIDs of alice's commit and of records of hers by key. */
  readonly commit: string
  readonly records: Readonly<Record<string, string>>
  /** Makes a session token with the server's own secret. */
  token(user: UserName | string, claims?: TokenClaims): Promise<string>
}

export interface TokenClaims {
  readonly scope?: string | null
  readonly typ?: string
  readonly aud?: string
  readonly secret?: string
  /** Seconds from now. */
  readonly expires?: number
  readonly extra?: Record<string, unknown>
  readonly unsigned?: boolean
}

/** `alice` owns what is read, `bob` what is written; `dora` is deactivated, `tania` taken down, `empty` has nothing. */
export const userNames = ['alice', 'bob', 'dora', 'tania', 'empty'] as const
export type UserName = (typeof userNames)[number]

export const POST = 'app.bsky.feed.post'
export const PROFILE = 'app.bsky.actor.profile'
export const LIKE = 'app.bsky.feed.like'
export const THING = 'com.example.thing'
export const createdAt = '2026-01-02T03:04:05.678Z'
export const BLOB_BYTES_MAX = 100_000

/** A picture of that many bytes, unlike others of another `name`. */
export function png(name: string, bytes = 200): Buffer {
  const head = Buffer.from('89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000a49444154', 'hex')
  const noise = createHash('sha256').update(name).digest()
  return Buffer.concat([head, noise, Buffer.alloc(bytes)]).subarray(0, bytes)
}

export const post = (text: string, more: object = {}) => ({ $type: POST, text, createdAt, ...more })

/** The key of alice's nth post. */
export const keyAt = (n: number): string => `3laaaaaaaaaa${'abcdefghijklmnop'[n]}`

/** Both servers, filled alike. */
export interface Pair extends AsyncDisposable {
  readonly ours: Peer
  readonly reference: Peer
}

/** Starts both with the same settings over one PLC directory and makes the same accounts and records on each. */
export async function startPair(): Promise<Pair> {
  const plc = await startPlc()
  const env = { PDS_BLOB_UPLOAD_LIMIT: String(BLOB_BYTES_MAX), PDS_CONTACT_EMAIL_ADDRESS: 'us@mail.example' }
  const folder = temporaryFolder()
  const started: [InProcessPds, ReferencePds] = await Promise.all([
    startPds({ plcUrl: plc.url, env, folder: folder.path }),
    startReferencePds(plc.url, { ...env, ...secrets, PDS_SERVICE_HANDLE_DOMAINS: '.test' }),
  ])
  const [ours, reference] = await Promise.all(started.map(({ url }) => fill(url)))
  if (ours === undefined || reference === undefined) throw new Error('unreachable')
  await Promise.all([setStatusesOfOurs(folder.path), setStatusesOfReference(reference)])
  return {
    ours,
    reference,
    [Symbol.asyncDispose]: async () => {
      await client.close()
      await Promise.all(started.map((server) => server[Symbol.asyncDispose]()))
      await plc[Symbol.asyncDispose]()
      folder[Symbol.dispose]()
    },
  }
}

const client = new Agent({ connections: 8, pipelining: 1 })

async function fill(url: string): Promise<Peer> {
  const names = [...userNames]
  const created = await Promise.all(names.map((name) => createUser(url, name)))
  const users = Object.fromEntries(created.map((user, n) => [names[n], user])) as Record<UserName, User>
  const { alice, bob } = users
  const call = async (path: string, user: User, body: unknown, headers: Record<string, string> = {}) => {
    const { status, body: answer } = await exchange(url, {
      path,
      body,
      verb: 'POST',
      headers: { authorization: `Bearer ${user.access}`, ...headers },
    })
    if (status !== 200) throw new Error(`${path} at ${url}: ${status} ${answer.toString()}`)
    return JSON.parse(answer.toString())
  }
  const upload = async (bytes: Buffer) =>
    (await call('com.atproto.repo.uploadBlob', alice, bytes, { 'content-type': 'image/png' })).blob
  const [blob, looseBlob] = [await upload(png('used')), await upload(png('loose'))]
  const records: Record<string, string> = {}
  const create = async (user: User, collection: string, rkey: string, record: object) => {
    const { cid } = await call('com.atproto.repo.createRecord', user, { repo: user.did, collection, rkey, record })
    records[rkey] = cid
  }
  for (let n = 0; n < 10; n++) await create(alice, POST, keyAt(n), post(`post ${n}`))
  const image = { alt: '', image: blob }
  await create(alice, POST, keyAt(10), post('with a picture', { embed: { $type: 'app.bsky.embed.images', images: [image] } }))
  await create(alice, THING, 'a', { $type: THING, nested: [{ yes: true, no: null, n: -7 }] })
  await create(alice, THING, 'b:c.d_e-f', { $type: THING })
  const put = { repo: alice.did, collection: PROFILE, rkey: 'self', record: { $type: PROFILE, displayName: 'Alice' } }
  records.self = (await call('com.atproto.repo.putRecord', alice, put)).cid
  for (const user of [bob, users.dora, users.tania]) await create(user, POST, keyAt(0), post('first'))
  const head = await exchange(url, { path: 'com.atproto.sync.getLatestCommit', query: [['did', alice.did]] })
  return {
    url,
    users,
    records,
    blob: blob.ref.$link,
    looseBlob: looseBlob.ref.$link,
    commit: JSON.parse(head.body.toString()).cid,
    token: (user, claims) => sessionToken((users as Record<string, User>)[user]?.did ?? user, claims),
  }
}

async function createUser(url: string, name: UserName): Promise<User> {
  const handle = `${name}-here.test`
  const body = { handle, email: `${name}@mail.example`, password: PASSWORD }
  const answer = await exchange(url, { path: 'com.atproto.server.createAccount', verb: 'POST', body })
  if (answer.status !== 200) throw new Error(answer.body.toString())
  const { did, accessJwt: access, refreshJwt: refresh } = JSON.parse(answer.body.toString())
  return { did, handle, access, refresh }
}

/** What the methods that come in a later issue would do. */
async function setStatusesOfOurs(folder: string): Promise<void> {
  const db = new Database(path.join(folder, 'atoll.sqlite'))
  db.prepare(`UPDATE account SET deactivatedAt = ? WHERE handle = 'dora-here.test'`).run(createdAt)
  db.prepare(`UPDATE account SET takedownRef = 'test' WHERE handle = 'tania-here.test'`).run()
  db.close()
}

async function setStatusesOfReference({ url, users }: Peer): Promise<void> {
  const answers = await Promise.all([
    exchange(url, {
      path: 'com.atproto.server.deactivateAccount',
      verb: 'POST',
      headers: { authorization: `Bearer ${users.dora.access}` },
      body: {},
    }),
    exchange(url, {
      path: 'com.atproto.admin.updateSubjectStatus',
      verb: 'POST',
      headers: { authorization: adminHeader },
      body: {
        subject: { $type: 'com.atproto.admin.defs#repoRef', did: users.tania.did },
        takedown: { applied: true, ref: 'test' },
      },
    }),
  ])
  for (const { status, body } of answers) if (status !== 200) throw new Error(body.toString())
}

export const adminHeader = `Basic ${Buffer.from(`admin:${secrets.PDS_ADMIN_PASSWORD}`).toString('base64')}`

async function sessionToken(did: string, claims: TokenClaims = {}): Promise<string> {
  const { scope = 'com.atproto.access', typ = 'at+jwt', aud = 'did:web:localhost', expires = 600 } = claims
  const now = Math.floor(Date.now() / 1000)
  const payload = { sub: did, ...(scope !== null && { scope }), aud, iat: now - 1000, exp: now + expires, ...claims.extra }
  if (claims.unsigned) return new UnsecuredJWT(payload).encode()
  return new SignJWT(payload)
    .setProtectedHeader({ typ, alg: 'HS256' })
    .sign(Buffer.from(claims.secret ?? secrets.PDS_JWT_SECRET))
}

interface RawAnswer {
  readonly status: number
  readonly headers: Record<string, string | string[] | undefined>
  readonly body: Buffer
}

/** One request, as it is. */
export async function exchange(url: string, { verb = 'GET', path, query, headers = {}, body }: Ask): Promise<RawAnswer> {
  const isJson = body !== undefined && !Buffer.isBuffer(body)
  const search = typeof query === 'string' ? query : new URLSearchParams(query?.map(([k, v]) => [k, String(v)])).toString()
  const target = `${url}${path.startsWith('/') ? path : `/xrpc/${path}`}${search === '' ? '' : `?${search}`}`
  const sent = { ...(isJson && { 'content-type': 'application/json' }), ...headers }
  const response = await request(target, {
    dispatcher: client,
    method: verb as 'GET',
    headers: Object.fromEntries(Object.entries(sent).filter(([, value]) => value !== undefined)),
    body: isJson ? JSON.stringify(body) : (body as Buffer | undefined),
  })
  return {
    status: response.statusCode,
    headers: response.headers,
    body: Buffer.from(await response.body.arrayBuffer()),
  }
}

/** Headers that a client's behaviour depends on. */
const comparedHeaders = [
  'access-control-allow-headers',
  'access-control-allow-methods',
  'access-control-allow-origin',
  'access-control-expose-headers',
  'access-control-max-age',
  'allow',
  'cache-control',
  'content-disposition',
  'content-security-policy',
  'content-type',
  'location',
  'www-authenticate',
  'x-content-type-options',
]

/** A server's answer to a request, ready to be compared. */
export async function ask(peer: Peer, ask: Ask): Promise<Answer> {
  const { status, headers, body } = await exchange(peer.url, ask)
  const compared = Object.fromEntries(
    comparedHeaders.map((name) => [name, normalize(String(headers[name] ?? ''), peer) || undefined]),
  )
  // Of the many reasons why an answer varies, one decides whether a cache may give it to another.
  if (String(headers.vary ?? '').toLowerCase().includes('authorization')) compared['varies by authorization'] = 'yes'
  // A length that is wrong breaks the connection; one that is absent hides the end of an answer.
  if (headers['content-length'] !== undefined && ask.verb !== 'HEAD') {
    compared['content-length'] = Number(headers['content-length']) === body.length ? 'right' : 'wrong'
  }
  return { status, headers: compared, body: comparable(body, String(headers['content-type'] ?? ''), peer, status) }
}

function comparable(body: Buffer, type: string, peer: Peer, status: number): unknown {
  if (body.length === 0) return '(nothing)'
  if (type.startsWith('application/json')) {
    const value = JSON.parse(normalize(body.toString(), peer))
    return status >= 400 ? { ...value, message: typeof value.message } : value
  }
  if (type === 'application/vnd.ipld.car') return describeCar(readCar(body), peer)
  if (type.startsWith('text/')) return status === 404 ? body.toString() : '(text)'
  return `${body.length} bytes: ${createHash('sha256').update(body).digest('hex')}`
}

/** The blocks of a CAR, but for the commits, which are signed by different keys. */
function describeCar({ roots, blocks }: Car, peer: Peer): object {
  const commits = new Set([...roots.map(formatCid), peer.commit])
  const cids = [...blocks.keys()].map(formatCid)
  return {
    roots: roots.length,
    commits: cids.filter((cid) => commits.has(cid)).length,
    blocks: cids.filter((cid) => !commits.has(cid)).sort(),
  }
}

/** Replaces what differs between two servers that hold the same. */
function normalize(text: string, { url, users }: Peer): string {
  let result = text.replaceAll(url, '<url>')
  for (const [name, { did }] of Object.entries(users)) result = result.replaceAll(did, `<did of ${name}>`)
  return result
    .replace(/eyJ[\w-]+\.[\w-]+\.[\w-]+/g, '<token>')
    .replace(/did:plc:[a-z2-7]{24}/g, '<did>')
    .replace(/\bbafyrei[a-z2-7]{52}\b/g, '<cid>')
    .replace(/\bz[1-9A-HJ-NP-Za-km-z]{40,}\b/g, '<key>')
    .replace(/\b20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z/g, '<time>')
    .replace(/\b3[2-7a-z]{12}\b/g, '<tid>')
    .replace(/\b1[78]\d{11}(?=::)/g, '<milliseconds>')
}
