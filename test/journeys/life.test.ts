/** A whole life on the PDS, lived with the official client. */
import { randomBytes } from 'node:crypto'
import { type $Typed, type ComAtprotoRepoApplyWrites as ApplyWrites, AtpAgent, BlobRef } from '@atproto/api'
import { DidResolver } from '@atproto/identity'
import {
  MemoryBlockstore,
  Repo,
  readCar,
  verifyDiffCar,
  verifyProofs,
  verifyRecords,
  verifyRepoCar,
} from '@atproto/repo'
import { verifyJwt } from '@atproto/xrpc-server'
import { decodeJwt } from 'jose'
import { CID } from 'multiformats/cid'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { tidFromMicros } from '#protocol/tid.ts'
import {
  createUser,
  type InProcessPds,
  PASSWORD,
  post,
  rejection,
  startPds,
  type TestUser,
} from '../support/pds.ts'
import { type PlcDirectory, startPlc } from '../support/plc.ts'

let plc: PlcDirectory
let pds: InProcessPds
let identities: DidResolver

beforeAll(async () => {
  plc = await startPlc()
  pds = await startPds({ plcUrl: plc.url })
  identities = new DidResolver({ plcUrl: plc.url, fetch: globalThis.fetch })
})
afterAll(async () => {
  await pds?.[Symbol.asyncDispose]()
  await plc?.[Symbol.asyncDispose]()
})

const POSTS = 'app.bsky.feed.post'
const LIKES = 'app.bsky.feed.like'

let count = 0
const newUser = (): Promise<TestUser> => createUser(pds, `user${++count}`)
const keyOf = (did: string) => identities.resolveAtprotoKey(did, true)
const refOf = ({ uri, cid }: { uri: string; cid: string }) => ({ uri, cid })
const stranger = () => new AtpAgent({ service: pds.url })

async function pageOf({ agent, did }: TestUser, collection: string, options: object = {}) {
  const { data } = await agent.com.atproto.repo.listRecords({ repo: did, collection, ...options })
  return data
}

async function repoOf({ agent, did }: TestUser, since?: string): Promise<Uint8Array> {
  const { data, headers } = await agent.com.atproto.sync.getRepo({ did, since })
  expect(headers['content-type']).toBe('application/vnd.ipld.car')
  return data
}

async function revOf({ agent, did }: TestUser): Promise<string> {
  return (await agent.com.atproto.sync.getLatestCommit({ did })).data.rev
}

describe('an account', () => {
  test('is made with an identity that names this server', async () => {
    const { agent, did, handle } = await newUser()
    expect(did).toMatch(/^did:plc:[a-z2-7]{24}$/)
    expect(agent.session).toMatchObject({ did, handle, active: true, emailConfirmed: false })
    expect(await identities.resolveAtprotoData(did)).toMatchObject({ did, handle, pds: pds.url })
    const resolved = await stranger().resolveHandle({ handle: handle.toUpperCase() })
    expect(resolved.data).toEqual({ did })
    const described = await stranger().com.atproto.repo.describeRepo({ repo: handle })
    expect(described.data).toMatchObject({ did, handle, handleIsCorrect: true, collections: [] })
    expect(described.data.didDoc).toMatchObject({ id: did })
  })

  test('has a handle and an address that nobody else gets, asked for at once too', async () => {
    const { handle } = await newUser()
    const create = (input: { handle: string; email: string }) =>
      stranger().createAccount({ ...input, password: PASSWORD })
    expect(
      await rejection(create({ handle: handle.toUpperCase(), email: 'new@mail.example' })),
    ).toMatchObject({ status: 400, message: `Handle already taken: ${handle}` })
    expect(await rejection(create({ handle: 'new.test', email: `USER${count}@mail.example` }))).toMatchObject(
      { status: 400, message: `Email already taken: USER${count}@mail.example` },
    )
    const race = await Promise.allSettled(
      [1, 2, 3].map((n) => create({ handle: 'race.test', email: `race${n}@mail.example` })),
    )
    expect(race.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
  })

  test('changes its handle, here and in its identity', async () => {
    const [{ agent, did, handle }, other] = [await newUser(), await newUser()]
    await agent.updateHandle({ handle: `new-${handle}` })
    expect(await identities.resolveAtprotoData(did, true)).toMatchObject({
      did,
      handle: `new-${handle}`,
      pds: pds.url,
    })
    expect((await agent.resolveHandle({ handle: `new-${handle}` })).data.did).toBe(did)
    expect(await rejection(agent.resolveHandle({ handle }))).toMatchObject({ status: 400 })
    const described = await agent.com.atproto.repo.describeRepo({ repo: did })
    expect(described.data).toMatchObject({ handle: `new-${handle}`, handleIsCorrect: true })
    expect(await rejection(other.agent.updateHandle({ handle: `new-${handle}` }))).toMatchObject({
      status: 400,
      error: 'HandleNotAvailable',
    })
  })
})

describe('a session', () => {
  afterEach(() => {
    vi.useRealTimers()
  })

  const refresh = (refreshJwt: string) =>
    stranger().com.atproto.server.refreshSession(undefined, {
      headers: { authorization: `Bearer ${refreshJwt}` },
    })
  const hoursLater = (hours: number) =>
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + hours * 3_600_000 })

  test('begins with handle, DID or address and the password', async () => {
    const { did, handle } = await newUser()
    for (const identifier of [handle, handle.toUpperCase(), did, `User${count}@mail.example`]) {
      const agent = stranger()
      await agent.login({ identifier, password: PASSWORD })
      expect((await agent.com.atproto.server.getSession()).data).toMatchObject({
        did,
        handle,
        email: `user${count}@mail.example`,
      })
    }
    for (const wrong of [
      { identifier: handle, password: 'wrong' },
      { identifier: 'no.test', password: PASSWORD },
    ]) {
      expect(await rejection(stranger().login(wrong))).toMatchObject({
        status: 401,
        error: 'AuthenticationRequired',
        message: 'Invalid identifier or password',
      })
    }
  })

  test('is kept alive: a refresh token gives the same successor again for two hours, then none', async () => {
    const { agent, did } = await newUser()
    const first = agent.session!.refreshJwt
    const second = (await refresh(first)).data
    expect(second).toMatchObject({ did, active: true })
    expect(second.refreshJwt).not.toBe(first)
    const again = await Promise.all([1, 2, 3].map(() => refresh(first)))
    for (const { data } of again) {
      expect(decodeJwt(data.refreshJwt).jti).toBe(decodeJwt(second.refreshJwt).jti)
    }
    hoursLater(1.9)
    await refresh(first)
    hoursLater(0.2)
    expect(await rejection(refresh(first))).toMatchObject({
      status: 400,
      error: 'ExpiredToken',
      message: 'Token has been revoked',
    })
    const third = (await refresh(second.refreshJwt)).data
    expect(decodeJwt(third.refreshJwt).jti).not.toBe(decodeJwt(second.refreshJwt).jti)
  })

  test('expires: the access token after two hours, the refresh token after ninety days', async () => {
    const { agent } = await newUser()
    const { accessJwt, refreshJwt } = agent.session!
    const getSession = () =>
      stranger().com.atproto.server.getSession({}, { headers: { authorization: `Bearer ${accessJwt}` } })
    await getSession()
    hoursLater(1.9)
    await getSession()
    hoursLater(0.2)
    expect(await rejection(getSession())).toMatchObject({ status: 400, error: 'ExpiredToken' })
    hoursLater(89 * 24)
    await refresh(refreshJwt)
    hoursLater(2 * 24)
    expect(await rejection(refresh(refreshJwt))).toMatchObject({ status: 400, error: 'ExpiredToken' })
  })

  test('two exchanges of one token at once agree on its successor', async () => {
    const { agent } = await newUser()
    const answers = await Promise.all([1, 2, 3, 4].map(() => refresh(agent.session!.refreshJwt)))
    expect(new Set(answers.map(({ data }) => decodeJwt(data.refreshJwt).jti)).size).toBe(1)
  })

  test('ends: its refresh token is worth nothing, other sessions go on', async () => {
    const { agent, did } = await newUser()
    const other = stranger()
    await other.login({ identifier: did, password: PASSWORD })
    const { refreshJwt } = agent.session!
    await agent.logout()
    expect(await rejection(refresh(refreshJwt))).toMatchObject({ status: 400, error: 'ExpiredToken' })
    await refresh(other.session!.refreshJwt)
  })

  test('gives tokens for other services, signed with the account’s key', async () => {
    const { agent, did } = await newUser()
    const aud = 'did:web:feeds.example'
    const lxm = 'app.bsky.feed.getFeedSkeleton'
    const { token } = (await agent.com.atproto.server.getServiceAuth({ aud, lxm })).data
    expect(await verifyJwt(token, aud, lxm, keyOf)).toMatchObject({ iss: did, aud, lxm })
    const wrongKey = await newUser()
    await expect(verifyJwt(token, aud, lxm, () => keyOf(wrongKey.did))).rejects.toThrow()
    expect(
      await rejection(
        agent.com.atproto.server.getServiceAuth({ aud, exp: Math.floor(Date.now() / 1000) + 7200 }),
      ),
    ).toMatchObject({ status: 400, error: 'BadExpiration' })
  })
})

describe('records', () => {
  let user: TestUser
  beforeEach(async () => {
    user = await newUser()
  })

  test('are posted, answered, read and deleted', async () => {
    const { agent, did } = user
    const root = refOf(await agent.post({ text: 'Hello 🌍', langs: ['en'] }))
    const reply = await agent.post({ text: 'an answer', reply: { root, parent: root } })
    expect(root.uri).toMatch(new RegExp(`^at://${did}/${POSTS}/[2-7a-z]{13}$`))
    const page = await pageOf(user, POSTS)
    expect(page.records.map(({ uri }) => uri)).toEqual([reply.uri, root.uri])
    expect(page.records[0]?.value).toMatchObject({ $type: POSTS, reply: { root, parent: root } })
    const rkey = root.uri.split('/').at(-1) as string
    const { data } = await stranger().com.atproto.repo.getRecord({ repo: did, collection: POSTS, rkey })
    expect(data).toMatchObject({ ...root, value: { text: 'Hello 🌍', langs: ['en'] } })
    await agent.deletePost(root.uri)
    expect(
      await rejection(agent.com.atproto.repo.getRecord({ repo: did, collection: POSTS, rkey })),
    ).toMatchObject({ status: 400, error: 'RecordNotFound' })
    const rev = await revOf(user)
    const nothing = await agent.com.atproto.repo.deleteRecord({ repo: did, collection: POSTS, rkey })
    expect(nothing.data.commit, 'a delete of what is not there makes no commit').toBeUndefined()
    expect(await revOf(user)).toBe(rev)
  })

  test('that point at something replace those of the same kind that point there', async () => {
    const [{ agent }, other] = [user, await newUser()]
    const liked = refOf(await other.agent.post({ text: 'like me' }))
    const also = refOf(await other.agent.post({ text: 'like me too' }))
    await agent.like(liked.uri, liked.cid)
    await agent.like(also.uri, also.cid)
    const again = await agent.like(liked.uri, liked.cid)
    const likes = await pageOf(user, LIKES)
    expect(likes.records.map(({ value }) => (value as { subject: object }).subject)).toEqual([liked, also])
    expect(likes.records[0]?.uri).toBe(again.uri)
    await agent.repost(liked.uri, liked.cid)
    await agent.repost(liked.uri, liked.cid)
    await agent.follow(other.did)
    await agent.follow(other.did)
    await agent.follow(user.did)
    for (const [collection, left] of [
      ['app.bsky.feed.repost', 1],
      ['app.bsky.graph.follow', 2],
      [POSTS, 0],
    ] as const) {
      expect((await pageOf(user, collection)).records, collection).toHaveLength(left)
    }
    await agent.deleteLike(again.uri)
    expect((await pageOf(user, LIKES)).records).toHaveLength(1)
  })

  test('are put in place of one that the writer has seen', async () => {
    const { agent, did } = user
    await agent.upsertProfile(() => ({ displayName: 'One' }))
    await agent.upsertProfile((old) => ({ ...old, description: 'and more' }))
    const path = { repo: did, collection: 'app.bsky.actor.profile', rkey: 'self' }
    const { data } = await agent.com.atproto.repo.getRecord(path)
    expect(data.value).toMatchObject({ displayName: 'One', description: 'and more' })
    const put = (displayName: string, swap: object) =>
      agent.com.atproto.repo.putRecord({
        ...path,
        record: { $type: path.collection, displayName },
        ...swap,
      })
    const second = (await put('Two', { swapRecord: data.cid })).data
    expect(await rejection(put('Three', { swapRecord: data.cid }))).toMatchObject({
      status: 400,
      error: 'InvalidSwap',
      message: `Record was at ${second.cid}`,
    })
    expect(await rejection(put('Three', { swapRecord: null }))).toMatchObject({ error: 'InvalidSwap' })
    expect(await rejection(put('Three', { swapCommit: data.cid }))).toMatchObject({ error: 'InvalidSwap' })
    expect(second.commit).toMatchObject({ rev: await revOf(user) })
    const same = (await put('Two', {})).data
    expect(same, 'the same record again makes no commit').toMatchObject({
      uri: second.uri,
      cid: second.cid,
    })
    expect(same.commit).toBeUndefined()
    const third = (await put('Three', { swapCommit: second.commit?.cid, swapRecord: second.cid })).data
    expect(third.cid).not.toBe(second.cid)
    expect(
      await rejection(agent.com.atproto.repo.deleteRecord({ ...path, swapRecord: second.cid })),
    ).toMatchObject({ error: 'InvalidSwap' })
    await agent.com.atproto.repo.deleteRecord({ ...path, swapRecord: third.cid })
    await put('New', { swapRecord: null })
  })

  const create = (rkey: string, text: string): $Typed<ApplyWrites.Create> => ({
    $type: 'com.atproto.repo.applyWrites#create',
    collection: POSTS,
    rkey,
    value: post(text),
  })
  const apply = (writes: ApplyWrites.InputSchema['writes'], more: object = {}) =>
    user.agent.com.atproto.repo.applyWrites({ repo: user.did, writes, ...more })
  const keyAt = (n: number) => tidFromMicros(1_700_000_000_000_000 + n, 0)

  test('are written together, all or none', async () => {
    const rev = await revOf(user)
    const update: $Typed<ApplyWrites.Update> = {
      ...create('3laaaaaaaaaab', 'changed'),
      rkey: '3laaaaaaaaaab',
      $type: 'com.atproto.repo.applyWrites#update',
    }
    const remove: $Typed<ApplyWrites.Delete> = {
      $type: 'com.atproto.repo.applyWrites#delete',
      collection: POSTS,
      rkey: '3laaaaaaaaaac',
    }
    const made = await apply([create('3laaaaaaaaaab', 'b'), create('3laaaaaaaaaac', 'c')])
    expect(made.data.results).toMatchObject([
      {
        $type: 'com.atproto.repo.applyWrites#createResult',
        uri: `at://${user.did}/${POSTS}/3laaaaaaaaaab`,
        validationStatus: 'valid',
      },
      { $type: 'com.atproto.repo.applyWrites#createResult' },
    ])
    const mixed = await apply([update, remove, create('3laaaaaaaaaad', 'd')])
    expect(mixed.data.results?.map(({ $type }) => $type)).toEqual([
      'com.atproto.repo.applyWrites#updateResult',
      'com.atproto.repo.applyWrites#deleteResult',
      'com.atproto.repo.applyWrites#createResult',
    ])
    expect(mixed.data.commit?.rev).toBe(await revOf(user))
    expect(mixed.data.commit?.rev && mixed.data.commit.rev > rev).toBe(true)
    const texts = async () => (await pageOf(user, POSTS)).records.map(({ value }) => value.text)
    expect(await texts()).toEqual(['d', 'changed'])
    for (const bad of [
      [create('3laaaaaaaaaae', 'e'), remove],
      [create('3laaaaaaaaaae', 'e'), create('3laaaaaaaaaad', 'd')],
      [create('3laaaaaaaaaae', 'e'), { ...update, rkey: '3laaaaaaaaaaf' }],
    ]) {
      expect(await rejection(apply(bad))).toMatchObject({ status: 400 })
    }
    expect(
      await rejection(apply([create('3laaaaaaaaaae', 'e')], { swapCommit: made.data.commit?.cid })),
    ).toMatchObject({ error: 'InvalidSwap' })
    expect(await texts()).toEqual(['d', 'changed'])
    expect(await revOf(user)).toBe(mixed.data.commit?.rev)
  })

  test('are written two hundred at once and read in pages, both ways', async () => {
    await apply(Array.from({ length: 200 }, (_, n) => create(keyAt(n), `post ${n}`)))
    expect(await rejection(apply(Array.from({ length: 201 }, (_, n) => create(keyAt(n), ''))))).toMatchObject(
      {
        status: 400,
        message: 'Too many writes. Max: 200',
      },
    )
    for (const reverse of [false, true]) {
      const keys: string[] = []
      let pages = 0
      let cursor: string | undefined
      do {
        const page = await pageOf(user, POSTS, { limit: 33, reverse, cursor })
        keys.push(...page.records.map(({ uri }) => uri.split('/').at(-1) as string))
        cursor = page.cursor
        pages++
      } while (cursor !== undefined)
      const expected = Array.from({ length: 200 }, (_, n) => keyAt(n)).sort()
      expect(keys).toEqual(reverse ? expected : expected.reverse())
      expect(pages).toBe(8)
    }
    expect((await pageOf(user, POSTS)).records).toHaveLength(50)
    await verifyRepoCar(await repoOf(user), user.did, await keyOf(user.did))
  })

  test('name their collections in the description of the repository', async () => {
    await user.agent.post({ text: 'one' })
    await user.agent.follow(user.did)
    const { data } = await stranger().com.atproto.repo.describeRepo({ repo: user.did })
    expect(data.collections).toEqual([POSTS, 'app.bsky.graph.follow'])
  })
})

describe('blobs', () => {
  const png = () =>
    Buffer.concat([
      Buffer.from(
        '89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000a49444154',
        'hex',
      ),
      randomBytes(40),
    ])
  const embed = (image: BlobRef) => ({ $type: 'app.bsky.embed.images', images: [{ image, alt: '' }] })

  test('are uploaded, referred to, fetched, listed and let go', async () => {
    const user = await newUser()
    const { agent, did } = user
    const bytes = png()
    const { blob } = (await agent.uploadBlob(bytes, { encoding: 'text/plain' })).data
    expect(blob, 'the type is what the bytes say').toMatchObject({
      mimeType: 'image/png',
      size: bytes.length,
    })
    const cid = blob.ref.toString()
    const fetchBlob = () => stranger().com.atproto.sync.getBlob({ did, cid })
    const listed = async (since?: string) =>
      (await stranger().com.atproto.sync.listBlobs({ did, since })).data.cids
    expect(await rejection(fetchBlob()), 'nothing refers to it yet').toMatchObject({ status: 400 })
    expect(await listed()).toEqual([])

    const rev = await revOf(user)
    const first = await agent.post({ text: 'look', embed: embed(blob) })
    await agent.post({ text: 'look again', embed: embed(blob) })
    const { data, headers } = await fetchBlob()
    expect(Buffer.from(data).equals(bytes)).toBe(true)
    expect(headers).toMatchObject({
      'content-type': 'image/png',
      'content-length': String(bytes.length),
      'x-content-type-options': 'nosniff',
      'content-security-policy': `default-src 'none'; sandbox`,
      'content-disposition': `attachment; filename="${cid}"`,
    })
    expect(await listed()).toEqual([cid])
    expect(await listed(rev)).toEqual([cid])
    expect(await listed(await revOf(user))).toEqual([])

    await agent.deletePost(first.uri)
    await fetchBlob()
    await agent.deletePost((await pageOf(user, POSTS)).records[0]?.uri as string)
    expect(await rejection(fetchBlob())).toMatchObject({ status: 400 })
    expect(await listed()).toEqual([])
  })

  test('are listed in pages, and replaced with the record that refers to them', async () => {
    const user = await newUser()
    const { agent, did } = user
    const upload = async () => (await agent.uploadBlob(png(), { encoding: 'image/png' })).data.blob
    const blobs = await Promise.all([upload(), upload(), upload()])
    for (const avatar of blobs) await agent.upsertProfile((old) => ({ ...old, avatar }))
    const { cids } = (await agent.com.atproto.sync.listBlobs({ did })).data
    expect(cids, 'only the last avatar is referred to').toEqual([blobs[2].ref.toString()])
    for (const blob of blobs) await agent.post({ text: '', embed: embed(blob) })
    const listed: string[] = []
    for (let cursor: string | undefined; ; ) {
      const { data } = await agent.com.atproto.sync.listBlobs({ did, limit: 2, cursor })
      listed.push(...data.cids)
      cursor = data.cursor
      if (cursor === undefined || data.cids.length === 0) break
    }
    expect(listed.sort()).toEqual(blobs.map(({ ref }) => ref.toString()).sort())
  })

  test('must be there and be what the record says', async () => {
    const { agent } = await newUser()
    const { blob } = (await agent.uploadBlob(png(), { encoding: 'image/png' })).data
    const other = new BlobRef(
      CID.parse('bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku'),
      'image/png',
      9,
    )
    const wrongType = new BlobRef(blob.ref, 'image/jpeg', blob.size)
    const wrongSize = new BlobRef(blob.ref, 'image/png', blob.size + 1)
    const stolen = (await newUser()).agent
    for (const [who, image, error] of [
      [agent, other, 'BlobNotFound'],
      [agent, wrongType, 'InvalidMimeType'],
      [agent, wrongSize, 'InvalidSize'],
      [stolen, blob, 'BlobNotFound'],
    ] as const) {
      expect(await rejection(who.post({ text: '', embed: embed(image) }))).toMatchObject({
        status: 400,
        error,
      })
    }
  })
})

describe('a repository', () => {
  let user: TestUser
  let uris: string[]
  beforeEach(async () => {
    user = await newUser()
    uris = []
    for (let n = 0; n < 20; n++) uris.push((await user.agent.post({ text: `post ${n}` })).uri)
    await user.agent.deletePost(uris.pop() as string)
  })

  test('is exported whole, and since a revision', async () => {
    const { agent, did } = user
    const car = await repoOf(user)
    const whole = await verifyRepoCar(car, did, await keyOf(did))
    expect(whole.creates.map(({ collection, rkey }) => `at://${did}/${collection}/${rkey}`).sort()).toEqual(
      uris,
    )
    const { rev, cid } = (await agent.com.atproto.sync.getLatestCommit({ did })).data
    expect(whole.commit).toMatchObject({ rev })
    expect(whole.commit.cid.toString()).toBe(cid)

    await agent.post({ text: 'later' })
    await agent.deletePost(uris[3] as string)
    const newer = await readCar(await repoOf(user, rev))
    const full = await readCar(await repoOf(user))
    expect(newer.roots.map(String)).toEqual(full.roots.map(String))
    expect(newer.blocks.size).toBeLessThan(full.blocks.size / 2)
    // What is new and what was there before make the repository.
    const { blocks } = await readCar(car)
    const together = new Map(blocks.entries().map((entry) => [entry.cid.toString(), entry.bytes]))
    for (const { cid, bytes } of newer.blocks.entries()) together.set(cid.toString(), bytes)
    for (const { cid } of full.blocks.entries()) expect(together.has(cid.toString())).toBe(true)
    const checkout = await agent.com.atproto.sync.getCheckout({ did })
    expect(Buffer.from(checkout.data).equals(await repoOf(user))).toBe(true)
  })

  test('is verified by a diff on what was verified before', async () => {
    const { agent, did } = user
    const before = await readCar(await repoOf(user))
    const { rev } = (await agent.com.atproto.sync.getLatestCommit({ did })).data
    await agent.post({ text: 'later' })
    await agent.deletePost(uris[3] as string)
    const repo = await Repo.load(new MemoryBlockstore(before.blocks), before.roots[0]!)
    const diff = await verifyDiffCar(repo, await repoOf(user, rev), did, await keyOf(did))
    expect(diff.writes.map(({ action }) => action).sort()).toEqual(['create', 'delete'])
  })

  test('says where it stands', async () => {
    const { agent, did } = user
    const { rev, cid } = (await agent.com.atproto.sync.getLatestCommit({ did })).data
    expect((await agent.com.atproto.sync.getHead({ did })).data).toEqual({ root: cid })
    expect((await agent.com.atproto.sync.getRepoStatus({ did })).data).toEqual({ did, active: true, rev })
    const { repos } = (await agent.com.atproto.sync.listRepos({ limit: 1000 })).data
    expect(repos.find((repo) => repo.did === did)).toEqual({ did, head: cid, rev, active: true })
  })

  test('proves what is in it and what is not', async () => {
    const { agent, did } = user
    const prove = async (rkey: string) =>
      (await stranger().com.atproto.sync.getRecord({ did, collection: POSTS, rkey })).data
    const key = await keyOf(did)
    for (const uri of uris.slice(0, 5)) {
      const rkey = uri.split('/').at(-1) as string
      const { data } = await agent.com.atproto.repo.getRecord({ repo: did, collection: POSTS, rkey })
      const proof = await prove(rkey)
      const claim = { collection: POSTS, rkey } as const
      const { verified } = await verifyProofs(
        proof,
        [{ ...claim, cid: CID.parse(data.cid as string) } as never],
        did,
        key,
      )
      expect(verified).toHaveLength(1)
      expect(await verifyRecords(proof, did, key)).toMatchObject([
        { rkey, record: { text: data.value.text } },
      ])
    }
    const absent = await prove('3labsentaaaaa')
    const claim = { collection: POSTS, rkey: '3labsentaaaaa', cid: null } as never
    expect((await verifyProofs(absent, [claim], did, key)).verified).toHaveLength(1)
    const present = { collection: POSTS, rkey: uris[0]?.split('/').at(-1), cid: null } as never
    await expect(
      verifyProofs(await prove(uris[0]?.split('/').at(-1) as string), [present], did, key).then(
        (r) => r.verified,
      ),
    ).resolves.toHaveLength(0)
  })

  test('hands out blocks by their names', async () => {
    const { agent, did } = user
    const { blocks, roots } = await readCar(await repoOf(user))
    const cids = blocks.cids().map(String)
    const car = await agent.com.atproto.sync.getBlocks({ did, cids })
    const got = await readCar(car.data)
    expect(got.roots).toEqual([])
    expect(got.blocks.cids().map(String).sort()).toEqual([...cids].sort())
    const absent = 'bafyreihnkxh4q4bsbsqp6t3kmbsnz2a5hz2a7kzbwxgtaqphlrvmcqsegq'
    expect(
      await rejection(agent.com.atproto.sync.getBlocks({ did, cids: [String(roots[0]), absent] })),
    ).toMatchObject({ status: 400, message: `Could not find cids: ${absent}` })
  })
})

test('the server lists its repositories, in pages', async () => {
  for (let n = 0; n < 3; n++) await newUser()
  const all = (await stranger().com.atproto.sync.listRepos({ limit: 1000 })).data.repos
  expect(all.length).toBeGreaterThan(3)
  const dids: string[] = []
  for (let cursor: string | undefined; ; ) {
    const { data } = await stranger().com.atproto.sync.listRepos({ limit: 2, cursor })
    dids.push(...data.repos.map(({ did }) => did))
    cursor = data.cursor
    if (cursor === undefined) break
  }
  expect(dids).toEqual(all.map(({ did }) => did))
})

test('the server describes itself', async () => {
  const { data } = await stranger().com.atproto.server.describeServer()
  expect(data).toMatchObject({
    did: 'did:web:localhost',
    availableUserDomains: ['.test'],
    inviteCodeRequired: false,
  })
  const get = async (path: string) => {
    const response = await fetch(pds.url + path)
    return {
      status: response.status,
      type: response.headers.get('content-type'),
      text: await response.text(),
    }
  }
  expect(await get('/xrpc/_health')).toMatchObject({ status: 200, text: '{"version":"0.1.0"}' })
  expect(await get('/')).toMatchObject({ status: 200, type: 'text/plain; charset=utf-8' })
  expect(await get('/robots.txt')).toMatchObject({
    status: 200,
    text: expect.stringContaining('User-agent: *'),
  })
  expect(await get('/.well-known/atproto-did')).toMatchObject({ status: 404, text: 'User not found' })
})
