/**
 * Data folders that earlier versions wrote are opened by today's code: every session goes on,
 * everything is served the same.
 */
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import path from 'node:path'
import { AtpAgent } from '@atproto/api'
import Sqlite3 from 'better-sqlite3'
import { decodeJwt } from 'jose'
import { Secret, TOTP } from 'otpauth'
import { Pool } from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { cidForRaw, cidToBytes, formatCid } from '#protocol/cid.ts'
import { SqlitePlcDatabase } from '../../scripts/plc/database.ts'
import { type PlcDirectory, servePlc } from '../../scripts/plc/server.ts'
import { bearerOf, operatorOf, strangerTo } from '../pds/accounts/support.ts'
import { askWithProof, nonceOf, prove, Visitor } from '../support/oauth.ts'
import { PASSWORD, pdsEnv, rejection } from '../support/pds.ts'
import { startPostgres } from '../support/postgres.ts'
import { type RunningProcess, startProcess, temporaryFolder } from '../support/processes.ts'
import { clockEnv, moveClock } from './clock.ts'
import { COLON, FEEDGEN_DID, PDS_URL, PORT, pdsEnvironment, type RecordedWorld, viewOfPds } from './world.ts'

const MINUTE_MS = 60_000
const RealDate = Date

const versions = readdirSync(import.meta.dirname).filter((name) =>
  existsSync(path.join(import.meta.dirname, name, 'world.json')),
)

test('there are recorded worlds', () => {
  expect(versions).toContain('3b907f0')
})

describe.each(versions)('what %s wrote', (version) => {
  const recorded = path.join(import.meta.dirname, version)
  const world: RecordedWorld = JSON.parse(readFileSync(path.join(recorded, 'world.json'), 'utf8'))
  const { alice, bob, dave, erin } = world.accounts
  const pds = { url: PDS_URL }
  const temporary = temporaryFolder()
  let plc: PlcDirectory
  let running: RunningProcess

  beforeAll(async () => {
    moveClock(world.endedAtMs + MINUTE_MS)
    const file = path.join(temporary.path, 'plc.sqlite')
    cpSync(path.join(recorded, 'plc.sqlite'), file)
    plc = await servePlc(new SqlitePlcDatabase(file), 0)
    const folder = path.join(temporary.path, 'pds')
    layOut(path.join(recorded, 'pds'), folder)
    addOldBlobs(folder, alice.did, world.endedAtMs)
    running = await startProcess({
      file: 'pds/main.ts',
      env: { ...pdsEnv(plc.url, folder, PORT), ...pdsEnvironment, ...clockEnv(Date.now()) },
      ready: `${PDS_URL}/xrpc/_health`,
    })
  })
  afterAll(async () => {
    await running?.stop()
    await plc?.[Symbol.asyncDispose]()
    temporary[Symbol.dispose]()
    globalThis.Date = RealDate
  })

  test('repositories, records, blobs, accounts and events are the same', async () => {
    const dids = Object.values(world.accounts).map(({ did }) => did)
    const lastSeq = world.pds.events.at(-1)?.seq as number
    expect(await viewOfPds(pds, dids, lastSeq)).toEqual(world.pds)
  })

  test.each(Object.entries(world.sessions).filter(([name]) => name !== 'exchanged'))(
    'the session %s goes on, and is exchanged for another',
    async (_, { accessJwt, refreshJwt }) => {
      expect((await bearerOf(pds, accessJwt).server.getSession()).data).toMatchObject(alice)
      const { data } = await bearerOf(pds, refreshJwt).server.refreshSession()
      expect(data.did).toBe(alice.did)
      expect((await bearerOf(pds, data.accessJwt).server.getSession()).data).toMatchObject(alice)
    },
  )

  test('a refresh token whose answer was lost gives the same successor', async () => {
    const { exchanged, successor } = world.sessions
    const { data } = await bearerOf(pds, exchanged.refreshJwt).server.refreshSession()
    expect(decodeJwt(data.refreshJwt).jti).toBe(decodeJwt(successor.refreshJwt).jti)
  })

  test('passwords and app passwords sign in', async () => {
    const { server } = strangerTo(pds).com.atproto
    for (const password of [PASSWORD, world.appPassword])
      expect((await server.createSession({ identifier: alice.handle, password })).data).toMatchObject(alice)
    const { secretBase32, backupCodes } = world.authenticator
    const signIn = (authFactorToken?: string) =>
      server.createSession({ identifier: bob.handle, password: PASSWORD, authFactorToken })
    expect(await rejection(signIn())).toMatchObject({ error: 'AuthFactorTokenRequired' })
    const code = new TOTP({ secret: Secret.fromBase32(secretBase32) }).generate()
    expect((await signIn(code)).data.did).toBe(bob.did)
    expect((await signIn(backupCodes[0])).data.did).toBe(bob.did)
    expect(await rejection(signIn(backupCodes[0]))).toMatchObject({ status: 400 })
  })

  test('a browser stays signed in', async () => {
    const visitor = new Visitor(pds, world.cookies)
    const { status, text } = await visitor.open('/account')
    expect(status).toBe(200)
    expect(text).toContain(alice.did)
    expect(text).not.toContain(bob.did)
  })

  test('a mailed code is taken, once', async () => {
    const reset = () =>
      strangerTo(pds).com.atproto.server.resetPassword({ token: world.mailedCode, password: 'brand new one' })
    await reset()
    expect(await rejection(reset())).toMatchObject({ error: 'InvalidToken' })
    const session = { identifier: erin.did, password: 'brand new one' }
    expect((await strangerTo(pds).com.atproto.server.createSession(session)).data.did).toBe(erin.did)
  })

  test('blobs of types that say nothing are referred to, served and given a type', async () => {
    const { accessJwt } = (await session(alice.did)).data
    const { repo } = bearerOf(pds, accessJwt)
    const collection = 'com.example.picture'
    const put = async (rkey: string, bytes: Buffer, mimeType: string) => {
      const blob = { $type: 'blob', ref: { $link: cidOf(bytes) }, mimeType, size: bytes.length }
      await repo.putRecord({ repo: alice.did, collection, rkey, record: { $type: collection, blob } })
    }
    const servedAs = async (bytes: Buffer) => {
      const query = new URLSearchParams({ did: alice.did, cid: cidOf(bytes) })
      const response = await fetch(`${PDS_URL}/xrpc/com.atproto.sync.getBlob?${query}`)
      expect(Buffer.from(await response.arrayBuffer()).equals(bytes)).toBe(true)
      return response.headers.get('content-type')
    }
    for (const { bytes, mimeType } of Object.values(OLD_BLOBS)) {
      // As their uploads were answered then.
      await put('then', bytes, mimeType)
      expect(await servedAs(bytes)).toBe('application/octet-stream')
      await put('then', bytes, 'image/svg+xml')
      expect(await servedAs(bytes)).toBe('image/svg+xml')
    }
    const { bytes } = OLD_BLOBS.anything
    await repo.deleteRecord({ repo: alice.did, collection, rkey: 'then' })
    await repo.uploadBlob(bytes, { encoding: 'image/svg+xml' })
    await put('now', bytes, 'image/svg+xml')
    expect(await servedAs(bytes)).toBe('image/svg+xml')
  })

  test('a reserved key, an invite code and preferences are there', async () => {
    const { did, signingKey } = world.reservedKey
    const { data } = await strangerTo(pds).com.atproto.server.reserveSigningKey({ did })
    expect(data.signingKey).toBe(signingKey)
    const invites = await operatorOf(pds).admin.getInviteCodes()
    expect(invites.data.codes).toContainEqual(expect.objectContaining({ code: world.inviteCode }))
    const { preferences } = (await signedIn(alice.did)).data
    expect(preferences).toEqual(world.preferences)
  })

  test('an account that waits for its deletion comes back', async () => {
    const { data } = await strangerTo(pds).com.atproto.server.createSession({
      identifier: dave.did,
      password: PASSWORD,
    })
    const { server, sync } = bearerOf(pds, data.accessJwt)
    await server.activateAccount()
    expect((await sync.getRepoStatus({ did: dave.did })).data).toMatchObject({ active: true })
  })

  test('a session of an app goes on, and ends when a used refresh token comes back', async () => {
    const { oauth } = world
    const exchange = async (refreshToken: string) => {
      const url = `${PDS_URL}/oauth/token`
      const proof = await prove(oauth.dpopJwk, { method: 'POST', url, nonce: await nonceOf(pds) })
      const form = {
        grant_type: 'refresh_token',
        refresh_token: refreshToken,
        client_id: oauth.clientId,
      }
      const answer = await fetch(url, {
        method: 'POST',
        headers: { dpop: proof },
        body: new URLSearchParams(form),
      })
      return { status: answer.status, body: (await answer.json()) as Record<string, string> }
    }
    const ask = async (accessToken: string) => {
      const url = `${PDS_URL}/xrpc/com.atproto.server.getSession`
      const proof = { method: 'GET', url, accessToken, nonce: await nonceOf(pds) }
      return askWithProof(url, accessToken, await prove(oauth.dpopJwk, proof))
    }
    expect(await ask(oauth.accessToken)).toMatchObject({ status: 200, body: { did: alice.did } })
    const { status, body } = await exchange(oauth.refreshToken)
    expect(status, JSON.stringify(body)).toBe(200)
    expect(await ask(body.access_token as string)).toMatchObject({ status: 200 })
    expect(await exchange(oauth.used)).toMatchObject({ status: 400, body: { error: 'invalid_grant' } })
    expect(await ask(body.access_token as string)).toMatchObject({ status: 401 })
  })

  test('the firehose goes on above what it told', async () => {
    const { accessJwt } = (await session(alice.did)).data
    const { repo, sync } = bearerOf(pds, accessJwt)
    const record = { $type: 'app.bsky.feed.post', text: 'still here', createdAt: new Date().toISOString() }
    const { data } = await repo.createRecord({ repo: alice.did, collection: 'app.bsky.feed.post', record })
    const { data: latest } = await sync.getLatestCommit({ did: alice.did })
    expect(latest).toEqual(data.commit)
  })

  test.each(['sqlite', 'postgres'] as const)('feeds over %s are the same', async (store) => {
    await using stack = new AsyncDisposableStack()
    using data = temporaryFolder()
    const env: NodeJS.ProcessEnv = {}
    if (store === 'sqlite') {
      env.FEEDGEN_SQLITE_LOCATION = path.join(data.path, 'feedgen.sqlite')
      cpSync(path.join(recorded, 'feedgen.sqlite'), env.FEEDGEN_SQLITE_LOCATION)
    } else {
      env.FEEDGEN_DATABASE_URL = await stack.use(await startPostgres()).database()
      await restore(env.FEEDGEN_DATABASE_URL, path.join(recorded, 'feedgen.postgres.json'))
    }
    const feedgen = stack.use(
      await startProcess({
        file: 'feedgen/main.ts',
        env: {
          FEEDGEN_PORT: '0',
          FEEDGEN_DATA_DIRECTORY: data.path,
          FEEDGEN_SERVICE_DID: FEEDGEN_DID,
          FEEDGEN_PUBLISHER_DID: alice.did,
          // Nothing new comes.
          FEEDGEN_SUBSCRIPTION_ENDPOINT: 'http://localhost:9',
          PDS_DID_PLC_URL: plc.url,
          ...env,
          ...clockEnv(Date.now()),
        },
        ready: /feed generator at http/,
      }),
    )
    const service = /http:\S+/.exec(feedgen.output())?.[0] as string
    const { accessJwt } = (await session(alice.did)).data
    const shown = []
    for (const { feed, viewer } of world.feeds[store]) {
      const agent = new AtpAgent({ service })
      const lxm = 'app.bsky.feed.getFeedSkeleton'
      if (viewer) {
        const { data } = await bearerOf(pds, accessJwt).server.getServiceAuth({ aud: FEEDGEN_DID, lxm })
        agent.setHeader('authorization', `Bearer ${data.token}`)
      }
      const page = await agent.app.bsky.feed.getFeedSkeleton({ feed, limit: 100 })
      shown.push({ feed, viewer, posts: page.data.feed.map(({ post }) => post) })
    }
    expect(shown).toEqual(world.feeds[store])
  })

  test('what signed somebody in is not in the files any more', async () => {
    await running.stop()
    const file = readFileSync(path.join(temporary.path, 'pds', 'atoll.sqlite'))
    const tokens = Object.values(world.sessions).map(({ refreshJwt }) => decodeJwt(refreshJwt).jti as string)
    const { refreshToken, used } = world.oauth
    const browser = /ses-[0-9a-f]+/.exec(world.cookies)?.[0] as string
    expect([...tokens, refreshToken, used, browser].filter((secret) => file.includes(secret))).toEqual([])
  })

  const session = (identifier: string) =>
    strangerTo(pds).com.atproto.server.createSession({ identifier, password: PASSWORD })

  async function signedIn(did: string) {
    const agent = strangerTo(pds)
    agent.setHeader('authorization', `Bearer ${(await session(did)).data.accessJwt}`)
    return agent.app.bsky.actor.getPreferences()
  }
})

/** Blobs that versions before took as they came: a wildcard for a type, and a form. */
const OLD_BLOBS = {
  anything: { bytes: Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>'), mimeType: '*/*' },
  form: { bytes: Buffer.from('--x\r\n\r\nbytes\r\n--x--\r\n'), mimeType: 'multipart/form-data' },
}
const cidOf = (bytes: Buffer): string => formatCid(cidForRaw(bytes))

/** Adds such blobs to a copy of recorded data, as uploads of then left them. */
function addOldBlobs(folder: string, did: string, uploadedAtMs: number): void {
  const blocks = path.join(folder, 'blocks', did)
  mkdirSync(blocks, { recursive: true })
  const db = new Sqlite3(path.join(folder, 'atoll.sqlite'))
  const insert = db.prepare(
    `INSERT INTO blob (account, cid, mimeType, size, createdAt)
     SELECT id, ?, ?, ?, ? FROM account WHERE did = ?`,
  )
  for (const { bytes, mimeType } of Object.values(OLD_BLOBS)) {
    writeFileSync(path.join(blocks, cidOf(bytes)), bytes)
    const createdAt = new Date(uploadedAtMs).toISOString()
    insert.run(cidToBytes(cidForRaw(bytes)), mimeType, bytes.length, createdAt, did)
  }
  db.close()
}

/** Puts recorded files where a PDS has them, as readable for others as a copy is. */
function layOut(from: string, to: string): void {
  for (const file of readdirSync(from, { recursive: true, encoding: 'utf8' })) {
    const source = path.join(from, file)
    if (!statSync(source).isFile()) continue
    const target = path.join(to, file.replaceAll(COLON, ':'))
    mkdirSync(path.dirname(target), { recursive: true })
    cpSync(source, target)
    chmodSync(target, 0o644)
  }
}

/** Makes the tables of a recorded PostgreSQL database, and their rows. */
async function restore(url: string, file: string): Promise<void> {
  const { statements, rows } = JSON.parse(readFileSync(file, 'utf8')) as {
    statements: string[]
    rows: Record<string, object[]>
  }
  const pool = new Pool({ connectionString: url })
  for (const statement of statements) await pool.query(statement)
  for (const [table, found] of Object.entries(rows)) {
    await pool.query(
      `insert into "${table}" overriding system value select * from jsonb_populate_recordset(null::"${table}", $1)`,
      [JSON.stringify(found)],
    )
    const { rows: sequences } = await pool.query(
      `select pg_get_serial_sequence('"${table}"', column_name) as name from information_schema.columns
       where table_name = $1 and column_name = 'id' and is_identity = 'YES'`,
      [table],
    )
    for (const { name } of sequences)
      await pool.query(`select setval('${name}', greatest(1, (select max(id) from "${table}")))`)
  }
  await pool.end()
}
