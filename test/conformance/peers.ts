/** The two servers that are compared, brought into the same state. */
import { createHash, createHmac } from 'node:crypto'
import { createServiceJwt } from '@atproto/xrpc-server'
import { SignJWT, UnsecuredJWT } from 'jose'
import { type AppViewStandIn, appViewEnv, startAppView } from '../support/app-view.ts'
import { PASSWORD, secrets, startPds } from '../support/pds.ts'
import { startPlc } from '../support/plc.ts'
import { startReferencePds } from '../support/reference-pds.ts'
import { type Ask, exchange } from './exchange.ts'

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
  /** The stand-in for every service that the server knows, the moderators' among them. */
  readonly services: AppViewStandIn
  /**
   * Service tokens of alice's, made by the server itself: for uploading blobs here and elsewhere,
   * and for another method.
   */
  readonly vouchers: Readonly<Record<VoucherName, string>>
  /** Makes a session token with the server's own secret. */
  token(user: UserName | string, claims?: TokenClaims): Promise<string>
  /** Makes a service token of the moderators. */
  moderator(claims: { lxm: string | null; aud?: string; iss?: string }): Promise<string>
}

export type VoucherName = 'upload' | 'elsewhere' | 'another method' | 'moving'

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

/**
 * `alice` owns what is read; `bob` and, in the scenes, `carol` what is written; `dora` is
 * deactivated, `tania` taken down, `empty` has nothing, `eve` is whom the operator and she herself
 * do something to, `finn` is deleted in the end.
 */
export const userNames = ['alice', 'bob', 'carol', 'dora', 'tania', 'empty', 'eve', 'finn'] as const
export type UserName = (typeof userNames)[number]

export const POST = 'app.bsky.feed.post'
export const PROFILE = 'app.bsky.actor.profile'
export const LIKE = 'app.bsky.feed.like'
export const THING = 'com.example.thing'
export const createdAt = '2026-01-02T03:04:05.678Z'
export const BLOB_BYTES_MAX = 100_000
/** What both servers call themselves. */
export const SERVICE_DID = 'did:web:localhost'
/** A feed that the stand-in knows. */
export const FEED = 'at://did:plc:aaaaaaaaaaaaaaaaaaaaaaaa/app.bsky.feed.generator/a'
const VOUCHER_SECONDS = 3_000

/** A picture of that many bytes, unlike others of another `name`. */
export function png(name: string, bytes = 200): Buffer {
  const head = Buffer.from(
    '89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000a49444154',
    'hex',
  )
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
  /** Makes the accounts as active, deactivated and taken down again as they were at first. */
  restore(): Promise<void>
}

/**
 * Starts both with the same settings over one PLC directory and makes the same accounts and records
 * on each.
 */
export async function startPair(): Promise<Pair> {
  await using stack = new AsyncDisposableStack()
  const plc = stack.use(await startPlc())
  const services = stack.use(await startAppView())
  for (const [nsid, body] of Object.entries(viewsOf(services))) services.answers.set(nsid, { body })
  const env = {
    ...appViewEnv(services),
    PDS_BLOB_UPLOAD_LIMIT: String(BLOB_BYTES_MAX),
    PDS_CONTACT_EMAIL_ADDRESS: 'us@mail.example',
  }
  const started = await Promise.all([
    startPds({ plcUrl: plc.url, env }),
    startReferencePds(plc.url, { ...env, ...secrets, PDS_SERVICE_HANDLE_DOMAINS: '.test' }),
  ])
  for (const server of started) stack.use(server)
  const [own, theirs] = started
  const [filled, reference] = await Promise.all([own, theirs].map(({ url }) => fill(url, services)))
  if (filled === undefined || reference === undefined) throw new Error('unreachable')
  const generationOf = (did: string) => own.services.accounts.find(did)?.sessionGeneration ?? 1
  const ours = withLastingSessions(filled, generationOf)
  const restore = async () => {
    await Promise.all([ours, reference].map(setStatuses))
  }
  await restore()
  const owned = stack.move()
  return { ours, reference, restore, [Symbol.asyncDispose]: () => owned.disposeAsync() }
}

/**
 * What the stand-in answers where a method's answer is looked at by the server that asked for it.
 */
function viewsOf({ did }: AppViewStandIn): Record<string, object> {
  const author = { did, handle: 'somebody.example' }
  const feed = { feed: [] }
  return {
    'app.bsky.actor.getProfile': author,
    'app.bsky.actor.getProfiles': { profiles: [author] },
    'app.bsky.feed.getActorLikes': feed,
    'app.bsky.feed.getAuthorFeed': feed,
    'app.bsky.feed.getTimeline': feed,
    'app.bsky.feed.getFeed': feed,
    'com.atproto.repo.getRecord': {
      uri: FEED,
      cid: 'bafyreihnkxh4q4bsbsqp6t3kmbsnz2a5hz2a7kzbwxgtaqphlrvmcqsegq',
      value: { $type: 'app.bsky.feed.generator', did, displayName: 'A feed', createdAt },
    },
    'com.atproto.moderation.createReport': {
      id: 1,
      reasonType: 'com.atproto.moderation.defs#reasonSpam',
      subject: { $type: 'com.atproto.admin.defs#repoRef', did },
      reportedBy: did,
      createdAt,
    },
    'app.bsky.feed.getPostThread': {
      thread: { $type: 'app.bsky.feed.defs#notFoundPost', uri: FEED, notFound: true },
    },
    'com.atproto.identity.resolveHandle': { did: 'did:plc:aaaaaaaaaaaaaaaaaaaaaaaa' },
  }
}

async function fill(url: string, services: AppViewStandIn): Promise<Peer> {
  const names = [...userNames]
  // One after the other: their order is that of listRepos.
  const created: User[] = []
  for (const name of names) created.push(await createUser(url, name))
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
    const { cid } = await call('com.atproto.repo.createRecord', user, {
      repo: user.did,
      collection,
      rkey,
      record,
    })
    records[rkey] = cid
  }
  for (let n = 0; n < 10; n++) await create(alice, POST, keyAt(n), post(`post ${n}`))
  const image = { alt: '', image: blob }
  await create(
    alice,
    POST,
    keyAt(10),
    post('with a picture', { embed: { $type: 'app.bsky.embed.images', images: [image] } }),
  )
  await create(alice, THING, 'a', { $type: THING, nested: [{ yes: true, no: null, n: -7 }] })
  await create(alice, THING, 'b:c.d_e-f', { $type: THING })
  const put = {
    repo: alice.did,
    collection: PROFILE,
    rkey: 'self',
    record: { $type: PROFILE, displayName: 'Alice' },
  }
  records.self = (await call('com.atproto.repo.putRecord', alice, put)).cid
  for (const user of [bob, users.carol, users.dora, users.tania])
    await create(user, POST, keyAt(0), post('first'))
  const head = await exchange(url, { path: 'com.atproto.sync.getLatestCommit', query: { did: alice.did } })
  const vouch = async (aud: string, lxm: string) => {
    const exp = Math.floor(Date.now() / 1000) + VOUCHER_SECONDS
    const answer = await exchange(url, {
      path: 'com.atproto.server.getServiceAuth',
      query: { aud, lxm, exp },
      headers: { authorization: `Bearer ${alice.access}` },
    })
    return JSON.parse(answer.body.toString()).token as string
  }
  const UPLOAD = 'com.atproto.repo.uploadBlob'
  return {
    url,
    services,
    vouchers: {
      upload: await vouch(SERVICE_DID, UPLOAD),
      elsewhere: await vouch('did:web:other.example', UPLOAD),
      'another method': await vouch(SERVICE_DID, 'com.example.method'),
      moving: await vouch(SERVICE_DID, 'com.atproto.server.createAccount'),
    },
    moderator: ({ lxm, aud = SERVICE_DID, iss = services.did }) =>
      createServiceJwt({
        iss,
        aud,
        lxm,
        keypair: {
          jwtAlg: services.key.algorithm,
          did: () => services.key.did,
          sign: async (message) => services.key.sign(message),
        },
      }),
    users,
    records,
    blob: blob.ref.$link,
    looseBlob: looseBlob.ref.$link,
    commit: JSON.parse(head.body.toString()).cid,
    token: (user, claims) => sessionToken((users as Record<string, User>)[user]?.did ?? user, claims),
  }
}

/**
 * The peer with sessions that do not end with a takedown or a new password, which is a difference
 * of its own: what methods say to accounts in any state is compared all the same.
 */
function withLastingSessions(peer: Peer, generationOf: (did: string) => number): Peer {
  const didOf = (user: string) => (peer.users as Record<string, User>)[user]?.did ?? user
  const users = Object.entries(peer.users).map(([name, user]: [string, User]) => [
    name,
    {
      ...user,
      get access() {
        return inGeneration(user.access, generationOf(user.did))
      },
    },
  ])
  return {
    ...peer,
    users: Object.fromEntries(users) as Record<UserName, User>,
    token: (user, claims = {}) =>
      peer.token(user, { ...claims, extra: { gen: generationOf(didOf(user)), ...claims.extra } }),
  }
}

/** The same token, as the account would get it now. */
function inGeneration(token: string, gen: number): string {
  const [head = '', body = ''] = token.split('.')
  const claims = JSON.parse(Buffer.from(body, 'base64url').toString())
  const signed = `${head}.${Buffer.from(JSON.stringify({ ...claims, gen })).toString('base64url')}`
  return `${signed}.${createHmac('sha256', secrets.PDS_JWT_SECRET).update(signed).digest('base64url')}`
}

async function createUser(url: string, name: UserName): Promise<User> {
  const handle = `${name}-here.test`
  const body = { handle, email: `${name}@mail.example`, password: PASSWORD }
  const answer = await exchange(url, { path: 'com.atproto.server.createAccount', verb: 'POST', body })
  if (answer.status !== 200) throw new Error(answer.body.toString())
  const { did, accessJwt: access, refreshJwt: refresh } = JSON.parse(answer.body.toString())
  return { did, handle, access, refresh }
}

async function setStatuses({ url, users }: Peer): Promise<void> {
  const set = async (user: UserName, status: { takedown?: boolean; deactivated?: boolean }) => {
    const asked: Ask = {
      path: 'com.atproto.admin.updateSubjectStatus',
      verb: 'POST',
      headers: { authorization: adminHeader },
      body: {
        subject: { $type: 'com.atproto.admin.defs#repoRef', did: users[user].did },
        ...(status.takedown !== undefined && { takedown: { applied: status.takedown, ref: 'test' } }),
        ...(status.deactivated !== undefined && { deactivated: { applied: status.deactivated } }),
      },
    }
    const answer = await exchange(url, asked)
    if (answer.status !== 200) throw new Error(answer.body.toString())
  }
  for (const user of userNames) {
    await set(user, { takedown: false })
    await set(user, { deactivated: user === 'dora' })
  }
  await set('tania', { takedown: true })
}

export const adminHeader = `Basic ${Buffer.from(`admin:${secrets.PDS_ADMIN_PASSWORD}`).toString('base64')}`

async function sessionToken(did: string, claims: TokenClaims = {}): Promise<string> {
  const { scope = 'com.atproto.access', typ = 'at+jwt', aud = SERVICE_DID, expires = 600 } = claims
  const now = Math.floor(Date.now() / 1000)
  const payload = {
    sub: did,
    ...(scope !== null && { scope }),
    aud,
    iat: now - 1000,
    exp: now + expires,
    ...claims.extra,
  }
  if (claims.unsigned) return new UnsecuredJWT(payload).encode()
  return new SignJWT(payload)
    .setProtectedHeader({ typ, alg: 'HS256' })
    .sign(Buffer.from(claims.secret ?? secrets.PDS_JWT_SECRET))
}
