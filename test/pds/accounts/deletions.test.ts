/**
 * The end of accounts: deactivated ones whose time is up, and those whose owner or operator says
 * so.
 */

import { createHash } from 'node:crypto'
import { readdirSync } from 'node:fs'
import path from 'node:path'
import type { AtpAgent } from '@atproto/api'
import { Secret, TOTP } from 'otpauth'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { logger } from '#platform/log.ts'
import { cidForRawDigest } from '#protocol/cid.ts'
import { decodeFrame } from '#protocol/frame.ts'
import { Deletions } from '../../../pds/accounts/deletions.ts'
import type { Blobs } from '../../../pds/blobs/blobs.ts'
import { ExportStoppedError } from '../../../pds/repo/export.ts'
import { Imports } from '../../../pds/repo/import.ts'
import { confidentialApp, signInToApp, Visitor } from '../../support/oauth.ts'
import {
  createUser,
  type InProcessPds,
  PASSWORD,
  rejection,
  startPds,
  type TestUser,
} from '../../support/pds.ts'
import { type PlcDirectory, startPlc } from '../../support/plc.ts'
import { type MailServer, startMailServer } from '../../support/smtp.ts'
import { waitFor } from '../../support/waiting.ts'
import { create, openRepos, type Repos, testFolder } from '../repo/support.ts'
import {
  allEvents,
  createWithDid,
  eventsOf,
  inside,
  kindsOf,
  movingToken,
  operatorOf,
  strangerTo,
} from './support.ts'

let plc: PlcDirectory
let mails: MailServer
let app: Awaited<ReturnType<typeof confidentialApp>>
let pds: InProcessPds

beforeAll(async () => {
  plc = await startPlc()
  mails = await startMailServer()
  const env = { PDS_EMAIL_SMTP_URL: mails.url, PDS_EMAIL_FROM_ADDRESS: 'pds@mail.example' }
  app = await confidentialApp(plc.url, 'atproto')
  pds = await startPds({ plcUrl: plc.url, env, clientFetch: app.clientFetch })
})
afterAll(async () => {
  await pds?.[Symbol.asyncDispose]()
  await mails?.[Symbol.asyncDispose]()
  await plc?.[Symbol.asyncDispose]()
})
afterEach(() => {
  vi.useRealTimers()
})

let count = 0
const newUser = (): Promise<TestUser> => createUser(pds, `ender${++count}`)

/** A user with something in every table. */
async function livedUser(): Promise<TestUser> {
  const user = await newUser()
  const { agent, did } = user
  const { data } = await agent.uploadBlob(Buffer.from(`blob of ${did}`), { encoding: 'text/plain' })
  const record = { $type: 'com.example.file', blob: data.blob }
  await agent.com.atproto.repo.createRecord({ repo: did, collection: 'com.example.file', record })
  await agent.uploadBlob(Buffer.from(`unused blob of ${did}`), { encoding: 'text/plain' })
  for (let n = 0; n < 5; n++) await agent.post({ text: `post ${n}` })
  await agent.com.atproto.server.createAppPassword({ name: 'app' })
  const { accounts, preferences } = pds.services
  const preference = { $type: 'app.bsky.actor.defs#adultContentPref', enabled: true }
  await preferences.put(accounts.hosted(did), [preference], { full: true })
  await agent.com.atproto.server.requestAccountDelete()
  // An app that was let in, and one that has not come for its tokens yet.
  const { client } = app.on(pds)
  const visitor = new Visitor(pds)
  await signInToApp(app.on(pds), pds, user, { scope: 'atproto', visitor })
  await visitor.open((await client.authorize(pds.url, { scope: 'atproto', prompt: 'consent' })).href)
  await visitor.consent(did)
  await giveSecondFactors(did)
  return user
}

/** One of each kind, and a wrong code. */
async function giveSecondFactors(did: string): Promise<void> {
  const { accounts, secondFactors } = pds.services
  const account = accounts.hosted(did)
  const { secret } = secondFactors.newAuthenticator(account)
  const totp = new TOTP({ secret: new Secret({ buffer: new Uint8Array(secret).buffer }) })
  await secondFactors.addAuthenticator(account, secret, totp.generate())
  const key = { id: 'key', publicKey: Buffer.of(1), counter: 0, transports: '', name: 'key' }
  await secondFactors.addPasskey(account, key)
  await rejection(secondFactors.assertCode(account, 'wrong'))
}

const idOf = ({ did }: TestUser): number =>
  inside(pds, (db) => db.prepare<[string], number>('SELECT id FROM account WHERE did = ?').pluck().get(did)!)

/**
 * How many rows every table with an `account` or a `repo` has of an account, whose repository came
 * into being with it.
 */
function rowsOf(folder: string, account: number): Record<string, number> {
  return inside({ folder }, (db) => {
    const tables = db
      .prepare<[], { table: string; column: string }>(
        `SELECT m.name AS "table", c.name AS "column" FROM sqlite_schema m JOIN pragma_table_info(m.name) c
          WHERE m.type = 'table' AND c.name IN ('account', 'repo')`,
      )
      .all()
    const count = ({ table, column }: (typeof tables)[number]) =>
      db.prepare<[number], number>(`SELECT count(*) FROM ${table} WHERE ${column} = ?`).pluck().get(account)!
    return Object.fromEntries(tables.map((of) => [of.table, count(of)]))
  })
}

const untilDone = () =>
  waitFor(() =>
    expect(
      inside(pds, (db) =>
        db
          .prepare(
            'SELECT account FROM deletion UNION SELECT id FROM loose_repo UNION SELECT did FROM loose_blob',
          )
          .all(),
      ),
    ).toEqual([]),
  )

const blobFiles = (did: string): string[] => {
  try {
    return readdirSync(path.join(pds.folder, 'blocks', did))
  } catch {
    return []
  }
}

const goneFor = (agent: AtpAgent, did: string) => rejection(agent.com.atproto.sync.getRepoStatus({ did }))

describe('an account that its owner deletes', () => {
  test('leaves nothing here but the news of it', async () => {
    const user = await livedUser()
    const { agent, did, handle } = user
    const email = agent.session!.email!
    const id = idOf(user)
    const before = rowsOf(pds.folder, id)
    expect(
      Object.entries(before)
        .filter(([, rows]) => rows === 0)
        .map(([table]) => table),
    ).toEqual(Object.keys(before).filter((table) => EMPTY_OF_ALL.includes(table)))
    expect(blobFiles(did)).toHaveLength(2)
    // Somebody else, whose things stay, and pages of the firehose that are kept.
    const other = await livedUser()
    const ofOther = rowsOf(pds.folder, idOf(other))
    await allEvents(pds)

    const remove = (input: object) =>
      rejection(
        strangerTo(pds).com.atproto.server.deleteAccount({
          did,
          password: PASSWORD,
          token: mails.code(email),
          ...input,
        }),
      )
    expect(await remove({ password: 'wrong' })).toMatchObject({
      status: 401,
      error: 'AuthenticationRequired',
      message: 'Invalid did or password',
    })
    expect(await remove({ password: 'x'.repeat(513) })).toMatchObject({ status: 401 })
    expect(await remove({ token: 'AAAAA-AAAAA' })).toMatchObject({ status: 400, error: 'InvalidToken' })
    expect(await remove({ did: 'did:plc:aaaaaaaaaaaaaaaaaaaaaaaa' })).toMatchObject({
      status: 400,
      message: 'account not found',
    })
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 16 * 60_000 })
    expect(await remove({})).toMatchObject({ status: 400, error: 'ExpiredToken' })
    vi.useRealTimers()
    expect(kindsOf(await eventsOf(pds, did))).toContain('commit')

    const token = mails.code(email).toLowerCase()
    const twice = [1, 2].map(() =>
      strangerTo(pds).com.atproto.server.deleteAccount({ did, password: PASSWORD, token }),
    )
    const outcomes = await Promise.allSettled(twice)
    expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
    await expect(Promise.all(twice)).rejects.toMatchObject({ status: 400, message: 'account not found' })
    expect(await goneFor(strangerTo(pds), did)).toMatchObject({ error: 'RepoNotFound' })
    expect(await eventsOf(pds, did)).toMatchObject([
      { kind: 'account', did, active: false, status: 'deleted' },
    ])
    await untilDone()
    expect(Object.values(rowsOf(pds.folder, id)).every((rows) => rows === 0)).toBe(true)
    expect(readdirSync(path.join(pds.folder, 'blocks'))).not.toContain(did)
    expect(await eventsOf(pds, did)).toHaveLength(1)

    expect(await rejection(agent.post({ text: 'more' }))).toMatchObject({ error: 'AccountNotFound' })
    expect(
      await rejection(
        agent.com.atproto.server.refreshSession(undefined, {
          headers: { authorization: `Bearer ${agent.session!.refreshJwt}` },
        }),
      ),
    ).toMatchObject({ status: 400 })
    expect(await rejection(strangerTo(pds).login({ identifier: handle, password: PASSWORD }))).toMatchObject({
      status: 401,
    })
    expect(await rejection(strangerTo(pds).resolveHandle({ handle }))).toMatchObject({ status: 400 })
    expect(rowsOf(pds.folder, idOf(other))).toEqual(ofOther)
    expect(blobFiles(other.did)).toHaveLength(2)
    expect(kindsOf(await eventsOf(pds, other.did))).toContain('commit')
    // Its names are free again.
    await strangerTo(pds).createAccount({ handle, email, password: PASSWORD })
  })

  /** Tables whose rows are made by what this user does not do. */
  const EMPTY_OF_ALL = ['deletion', 'retired_block']

  test('asks for the code with its own password only', async () => {
    const { agent } = await newUser()
    const { data } = await agent.com.atproto.server.createAppPassword({ name: 'app' })
    const app = strangerTo(pds)
    await app.login({ identifier: agent.session!.handle, password: data.password })
    expect(await rejection(app.com.atproto.server.requestAccountDelete())).toMatchObject({
      status: 400,
      error: 'InvalidToken',
    })
  })

  test('breaks off what is handed out of it', async () => {
    const { agent, did } = await newUser()
    for (let n = 0; n < 3; n++) {
      await agent.com.atproto.repo.applyWrites({
        repo: did,
        writes: Array.from({ length: 40 }, (_, k) => ({
          $type: 'com.atproto.repo.applyWrites#create' as const,
          collection: 'com.example.big',
          rkey: `big-${n}-${k}`,
          value: { text: 'x'.repeat(20_000) },
        })),
      })
    }
    const account = pds.services.accounts.hosted(did)
    const repo = pds.services.reader.head(account).id
    const [whole, broken] = [pds.services.exports.car(account), pds.services.exports.car(account)]
    for await (const chunk of whole) expect(chunk.length).toBeGreaterThan(0)
    await broken.next()
    await broken.next()
    await operatorOf(pds).admin.deleteAccount({ did })
    await expect(broken.next()).rejects.toThrow(ExportStoppedError)
    expect(pds.services.exports.isRunning(repo)).toBe(false)
    await untilDone()
  })

  test('can come back', async () => {
    await using elsewhere = await startPds({ plcUrl: plc.url })
    const { agent, did, handle } = await createUser(elsewhere, 'returning')
    const enter = async () =>
      createWithDid(pds, { did, handle }, await movingToken(agent, 'did:web:localhost'))
    for (let n = 0; n < 3; n++) {
      const moved = await enter()
      await moved.uploadBlob(Buffer.from('the same blob'), { encoding: 'text/plain' })
      expect(blobFiles(did)).toHaveLength(1)
      if (n < 2) await operatorOf(pds).admin.deleteAccount({ did })
    }
    await untilDone()
    expect(blobFiles(did)).toHaveLength(1)
  })
})

describe('the operator', () => {
  test('deletes accounts, and nothing where there is none', async () => {
    const { agent, did } = await newUser()
    await operatorOf(pds).admin.deleteAccount({ did })
    expect(await goneFor(agent, did)).toMatchObject({ error: 'RepoNotFound' })
    const events = (await allEvents(pds)).length
    await operatorOf(pds).admin.deleteAccount({ did })
    await operatorOf(pds).admin.deleteAccount({ did: 'did:plc:aaaaaaaaaaaaaaaaaaaaaaaa' })
    expect(await allEvents(pds)).toHaveLength(events)
    expect(await rejection(strangerTo(pds).com.atproto.admin.deleteAccount({ did }))).toMatchObject({
      status: 401,
    })
    expect(await rejection(agent.com.atproto.admin.deleteAccount({ did }))).toMatchObject({ status: 401 })
  })
})

describe('a deactivated account', () => {
  test('is seen by its owner only, until it is activated', async () => {
    const { agent, did, handle } = await newUser()
    const { uri } = await agent.post({ text: 'one' })
    const rkey = uri.split('/').at(-1)!
    await agent.com.atproto.server.deactivateAccount({})
    const { com } = strangerTo(pds)
    const reads = [
      () => com.atproto.sync.getRepo({ did }),
      () => com.atproto.sync.getLatestCommit({ did }),
      () => com.atproto.sync.getRecord({ did, collection: 'app.bsky.feed.post', rkey }),
      () => com.atproto.sync.listBlobs({ did }),
      () => com.atproto.repo.describeRepo({ repo: did }),
    ]
    for (const read of reads) expect(await rejection(read())).toMatchObject({ error: 'RepoDeactivated' })
    const collection = 'app.bsky.feed.post'
    expect(await rejection(com.atproto.repo.getRecord({ repo: did, collection, rkey }))).toMatchObject({
      status: 400,
    })
    expect(await rejection(com.atproto.repo.listRecords({ repo: did, collection }))).toMatchObject({
      status: 400,
    })
    expect(await rejection(com.atproto.identity.resolveHandle({ handle }))).toMatchObject({ status: 400 })
    expect((await com.atproto.sync.getRepoStatus({ did })).data).toEqual({
      did,
      active: false,
      status: 'deactivated',
    })
    expect(
      (await com.atproto.sync.listRepos({ limit: 1000 })).data.repos.find((r) => r.did === did),
    ).toMatchObject({
      active: false,
      status: 'deactivated',
    })
    expect(await rejection(agent.post({ text: 'two' }))).toMatchObject({ error: 'AccountDeactivated' })
    expect((await agent.com.atproto.sync.getRepo({ did })).success).toBe(true)
    const again = strangerTo(pds)
    await again.login({ identifier: handle, password: PASSWORD })
    expect(again.session).toMatchObject({ active: false, status: 'deactivated' })

    await again.com.atproto.server.activateAccount()
    await again.com.atproto.server.activateAccount()
    await again.post({ text: 'three' })
    const events = (await eventsOf(pds, did)).slice(5)
    expect(kindsOf(events)).toEqual([
      ...['account', 'account', 'identity', 'sync', 'account', 'identity', 'sync', 'commit'],
    ])
    expect(events[0]).toMatchObject({ active: false, status: 'deactivated' })
    expect(events[1]).toMatchObject({ active: true })
    expect(events[2]).toMatchObject({ handle })
  })
})

describe('the remains of an account', () => {
  const quiet = { log: logger('test') }

  /** An account with that many records in its own store, and a blob. */
  async function remains(folder: string, records: number) {
    const repos = openRepos(folder)
    const owner = await repos.createRepo('gone')
    const neighbour = await repos.createRepo('stays')
    for (let n = 0; n < records; n += 100) {
      const writes = Array.from({ length: 100 }, (_, k) => create(`r${n + k}`))
      await repos.writer.write(owner, writes)
    }
    await repos.writer.write(neighbour, [create('one')])
    const cid = cidForRawDigest(createHash('sha256').update('blob').digest())
    await repos.store.db.write((tx) =>
      repos.store.blobs.put(tx, owner.id, cid, { mimeType: 'text/plain', size: 4 }),
    )
    return { repos, owner, neighbour }
  }

  const importsOf = (repos: Repos, folder: string) =>
    new Imports({ ...repos, ...quiet }, { folder: path.join(folder, 'imports') })

  const blobsOf = ({ store: { blobs } }: Repos): Pick<Blobs, 'deleteSome'> => ({
    deleteSome: (tx, { id }, limit) => {
      const cids = blobs.some(id, limit)
      for (const cid of cids) blobs.delete(tx, id, cid)
      return cids.length < limit
    },
  })

  test('are deleted in short transactions, without further events', async () => {
    const folder = testFolder()
    const { repos, owner, neighbour } = await remains(folder, 3_000)
    await using imports = importsOf(repos, folder)
    // Blobs take a few steps, and the events wait for them.
    let steps = 5
    const blobs: Pick<Blobs, 'deleteSome'> = {
      deleteSome: (...args) => steps-- <= 0 && blobsOf(repos).deleteSome(...args),
    }
    await using deletions = new Deletions({ ...repos, ...quiet, imports, blobs })
    const events = () =>
      repos.store.events
        .page(0, 1e9, 1e6, 1e9)
        .map(({ frame }) => decodeFrame(frame) as { did?: string; repo?: string })
    const ofOwner = () => events().filter((event) => (event.repo ?? event.did) === owner.did)
    await repos.store.db.write((tx) => deletions.begin(tx, owner))
    let writes = 0
    let longest = 0
    const isLeft = () => Object.values(rowsOf(folder, owner.id)).some((rows) => rows > 0)
    while (isLeft()) {
      const before = process.threadCpuUsage()
      await repos.store.db.write(() => writes++)
      longest = Math.max(longest, process.threadCpuUsage(before).user)
      expect(ofOwner()).toMatchObject([{ kind: 'account', status: 'deleted' }])
    }
    expect(writes).toBeGreaterThan(3)
    expect(longest).toBeLessThan(250_000)
    expect(rowsOf(folder, neighbour.id)).toMatchObject({ record: 1, event: 5 })
    expect(ofOwner()).toHaveLength(1)
  })

  test('go on going after a restart, and after a failure', async () => {
    const folder = testFolder()
    const { repos, owner } = await remains(folder, 200)
    await using imports = importsOf(repos, folder)
    let failures = 0
    const failing = {
      deleteSome: () => {
        failures++
        throw new Error('the disk is full')
      },
    }
    const deletions = new Deletions({ ...repos, ...quiet, imports, blobs: failing })
    await repos.store.db.write((tx) => deletions.begin(tx, owner))
    await waitFor(() => expect(failures).toBe(1))
    await deletions[Symbol.asyncDispose]()
    repos.close()
    expect(rowsOf(folder, owner.id)).toMatchObject({ deletion: 1, event: 6, blob: 1 })

    const again = openRepos(folder)
    const healing = {
      deleteSome: (...args: Parameters<Blobs['deleteSome']>) =>
        failures++ === 1 ? failing.deleteSome() : blobsOf(again).deleteSome(...args),
    }
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    await using resumedImports = importsOf(again, folder)
    await using resumed = new Deletions({ ...again, ...quiet, imports: resumedImports, blobs: healing })
    resumed.start()
    resumedImports.clearLoose()
    await waitFor(() => expect(vi.getTimerCount()).toBe(1))
    expect(rowsOf(folder, owner.id)).toMatchObject({ deletion: 1, event: 6, blob: 1 })
    vi.advanceTimersByTime(31_000)
    vi.useRealTimers()
    const rowsLeft = () => Object.values(rowsOf(folder, owner.id)).filter((rows) => rows > 0)
    await waitFor(() => expect(rowsLeft()).toEqual([]))
  })
})
