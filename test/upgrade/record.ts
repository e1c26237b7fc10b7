/**
 * Records a world with the code of today, for the tests of later versions:
 * `node test/upgrade/record.ts VERSION` writes the folder `test/upgrade/VERSION`. It is run once
 * for each version whose stored form differs from the one before.
 */
import { copyFileSync, cpSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { AtpAgent } from '@atproto/api'
import Sqlite3 from 'better-sqlite3'
import { Kysely, PostgresDialect } from 'kysely'
import { Secret, TOTP } from 'otpauth'
import { Pool } from 'pg'
import { migrate } from '../../feedgen/index/migrations.ts'
import type { Schema } from '../../feedgen/index/schema.ts'
import { SqlitePlcDatabase } from '../../scripts/plc/database.ts'
import { servePlc } from '../../scripts/plc/server.ts'
import { createWithDid, inside, movingToken, operatorOf, strangerTo } from '../pds/accounts/support.ts'
import { loopbackApp, signInToApp, Visitor } from '../support/oauth.ts'
import { createUser, PASSWORD, startPds, type TestUser } from '../support/pds.ts'
import { startPostgres } from '../support/postgres.ts'
import { startProcess, temporaryFolder } from '../support/processes.ts'
import { startMailServer } from '../support/smtp.ts'
import {
  COLON,
  FEEDGEN_DID,
  type FeedView,
  PDS_URL,
  pdsEnvironment,
  type RecordedWorld,
  type Session,
  viewOfPds,
} from './world.ts'

const version = process.argv[2]
if (version === undefined) throw new Error('usage: node test/upgrade/record.ts VERSION')

const folder = path.join(import.meta.dirname, version)
const POSTS = 40
const SCOPE = 'atproto transition:generic'
const PIXEL = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==',
  'base64',
)
const FEEDS = ['latest', 'hot', 'following', 'mutuals', 'booksky']

mkdirSync(folder, { recursive: true })
using temporary = temporaryFolder()
const pdsFolder = path.join(temporary.path, 'pds')
const plcFile = path.join(temporary.path, 'plc.sqlite')
mkdirSync(pdsFolder)
await using plc = await servePlc(new SqlitePlcDatabase(plcFile), 0)
await using mails = await startMailServer()

const world = await recordPds()
mkdirSync(path.join(folder, 'pds'), { recursive: true })
// Names that every file system takes.
for (const file of readdirSync(pdsFolder, { recursive: true, encoding: 'utf8' })) {
  if (statSync(path.join(pdsFolder, file)).isFile())
    cpSync(path.join(pdsFolder, file), path.join(folder, 'pds', file.replaceAll(':', COLON)))
}
await plc[Symbol.asyncDispose]()
copyFileSync(plcFile, path.join(folder, 'plc.sqlite'))
for (const file of [path.join(folder, 'pds', 'atoll.sqlite'), path.join(folder, 'plc.sqlite')]) compact(file)
writeFileSync(path.join(folder, 'world.json'), `${JSON.stringify(world, null, 2)}\n`)
console.log(readdirSync(folder, { recursive: true }).join('\n'))

async function recordPds(): Promise<RecordedWorld> {
  await using elsewhere = await startPds({ plcUrl: plc.url, env: { PDS_SERVICE_DID: 'did:web:from.test' } })
  await using pds = await startPds({
    plcUrl: plc.url,
    folder: pdsFolder,
    env: {
      ...pdsEnvironment,
      PDS_EMAIL_SMTP_URL: mails.url,
      PDS_EMAIL_FROM_ADDRESS: 'pds@mail.example',
    },
  })
  const operator = operatorOf(pds)
  const user = (name: string) => createUser(pds, name)
  const [alice, bob, carol, dave, erin] = [
    await user('alice'),
    await user('bob'),
    await user('carol'),
    await user('dave'),
    await user('erin'),
  ]
  await write(alice, bob)

  const session = async (password: string): Promise<Session> => {
    const agent = strangerTo(pds)
    const { data } = await agent.com.atproto.server.createSession({ identifier: alice.did, password })
    return { accessJwt: data.accessJwt, refreshJwt: data.refreshJwt }
  }
  const newAppPassword = async (name: string, privileged: boolean) =>
    (await alice.agent.com.atproto.server.createAppPassword({ name, privileged })).data.password
  const appPassword = await newAppPassword('phone', false)
  const exchanged = await session(PASSWORD)
  const { data: successor } = await strangerTo(pds).com.atproto.server.refreshSession(undefined, {
    headers: { authorization: `Bearer ${exchanged.refreshJwt}` },
  })

  const app = loopbackApp(pds, plc.url, SCOPE)
  const visitor = new Visitor(pds)
  const appSession = await signInToApp(app, pds, alice, { scope: SCOPE, visitor })
  const used = app.sessions.get(alice.did)?.tokenSet.refresh_token as string
  await appSession.getTokenInfo(true)
  const kept = app.sessions.get(alice.did)
  if (kept === undefined) throw new Error('the app keeps no session')

  const preferences = [
    { $type: 'app.bsky.actor.defs#adultContentPref', enabled: true },
    { $type: 'app.bsky.actor.defs#interestsPref', tags: ['books'] },
  ]
  await alice.agent.app.bsky.actor.putPreferences({ preferences })

  const secret = new Secret({ size: 20 })
  const account = pds.services.accounts.find(bob.did)
  if (account === undefined) throw new Error('bob is not here')
  const code = new TOTP({ secret }).generate()
  const backupCodes = await pds.services.secondFactors.addAuthenticator(
    account,
    Buffer.from(secret.buffer),
    code,
  )

  await carol.agent.post({ text: 'soon gone' })
  const repoRef = (did: string) => ({ $type: 'com.atproto.admin.defs#repoRef' as const, did })
  const takedown = { applied: true, ref: 'a takedown' }
  await operator.admin.updateSubjectStatus({ subject: repoRef(carol.did), takedown })
  const gone = await alice.agent.post({ text: 'a record that was taken down' })
  const subject = { $type: 'com.atproto.repo.strongRef' as const, ...gone }
  await operator.admin.updateSubjectStatus({ subject, takedown })

  await dave.agent.post({ text: 'back in a while' })
  const deleteAfter = new Date(Date.now() + 90 * 86_400_000).toISOString()
  await dave.agent.com.atproto.server.deactivateAccount({ deleteAfter })

  await erin.agent.com.atproto.server.requestPasswordReset({ email: 'erin@mail.example' })

  const frank = await createUser(elsewhere, 'frank')
  await frank.agent.post({ text: 'before the move' })
  const { data: archive } = await frank.agent.com.atproto.sync.getRepo({ did: frank.did })
  const moved = await createWithDid(pds, frank, await movingToken(frank.agent, 'did:web:localhost'))
  await moved.com.atproto.repo.importRepo(Buffer.from(archive), { encoding: 'application/vnd.ipld.car' })

  const reserved = 'did:plc:aaaaaaaaaaaaaaaaaaaaaaaa'
  const { signingKey } = (await strangerTo(pds).com.atproto.server.reserveSigningKey({ did: reserved })).data
  const inviteCode = (await operator.server.createInviteCode({ useCount: 3 })).data.code

  const feeds = await recordFeeds(alice, bob)
  const sessions = {
    password: await session(PASSWORD),
    appPassword: await session(appPassword),
    privileged: await session(await newAppPassword('desk', true)),
    exchanged,
    successor: { accessJwt: successor.accessJwt, refreshJwt: successor.refreshJwt },
  }
  const users = { alice, bob, carol, dave, erin, frank }
  const lastSeq = inside(pds, (db) => db.prepare<[], number>('SELECT max(seq) FROM event').pluck().get())
  return {
    endedAtMs: Date.now(),
    accounts: Object.fromEntries(
      Object.entries(users).map(([name, { did, handle }]) => [name, { did, handle }]),
    ) as RecordedWorld['accounts'],
    sessions,
    appPassword,
    oauth: {
      clientId: app.client.clientMetadata.client_id,
      accessToken: kept.tokenSet.access_token,
      refreshToken: kept.tokenSet.refresh_token,
      used,
      dpopJwk: kept.dpopJwk,
    },
    cookies: visitor.cookies(),
    mailedCode: mails.code('erin@mail.example'),
    authenticator: { secretBase32: secret.base32, backupCodes: backupCodes ?? [] },
    reservedKey: { did: reserved, signingKey },
    inviteCode,
    preferences,
    pds: await viewOfPds(
      pds,
      Object.values(users).map(({ did }) => did),
      lastSeq as number,
    ),
    feeds,
  }
}

/**
 * What alice and bob write: of every kind that the feed generator indexes, some changed, some
 * deleted, one with a picture.
 */
async function write(alice: TestUser, bob: TestUser): Promise<void> {
  const { blob } = (await alice.agent.uploadBlob(PIXEL, { encoding: 'image/png' })).data
  const loose = Buffer.concat([PIXEL, Buffer.from('that no record refers to')])
  await bob.agent.uploadBlob(loose, { encoding: 'image/png' })
  const profile = (collection: AtpAgent, displayName: string) =>
    collection.com.atproto.repo.putRecord({
      repo: collection.assertDid,
      collection: 'app.bsky.actor.profile',
      rkey: 'self',
      record: { $type: 'app.bsky.actor.profile', displayName, avatar: blob },
    })
  await profile(alice.agent, 'Alice')
  await profile(alice.agent, 'Alice of the islands')
  const embed = { $type: 'app.bsky.embed.images' as const, images: [{ alt: 'a pixel', image: blob }] }
  await alice.agent.post({ text: 'with a picture', embed })
  await alice.agent.follow(bob.did)
  await bob.agent.follow(alice.did)
  for (let n = 0; n < POSTS; n++) {
    const writer = n % 2 === 0 ? alice : bob
    const reader = n % 2 === 0 ? bob : alice
    const tags = n % 4 === 0 ? { tags: ['booksky'] } : {}
    const written = await writer.agent.post({ text: `post ${n} of the recorded world`, ...tags })
    if (n % 3 === 0) await reader.agent.like(written.uri, written.cid)
    if (n % 10 === 0) await reader.agent.repost(written.uri, written.cid)
    if (n % 15 === 7) await writer.agent.deletePost(written.uri)
  }
  const algorithm = {
    $type: 'social.atoll.feed.algorithm',
    sources: [{ $type: 'social.atoll.feed.sources#tags', tags: ['booksky'], windowHours: 336 }],
    score: { order: 'newest' },
    viewer: { hide: ['seen'] },
    createdAt: new Date().toISOString(),
  }
  const create = (collection: string, record: object) =>
    alice.agent.com.atproto.repo.createRecord({
      repo: alice.did,
      collection,
      rkey: 'booksky',
      record: { ...record },
    })
  await create('social.atoll.feed.algorithm', algorithm)
  const { createdAt } = algorithm
  const generator = { did: FEEDGEN_DID, displayName: 'Books', createdAt }
  await create('app.bsky.feed.generator', { $type: 'app.bsky.feed.generator', ...generator })
}

/** Both stores of the feed generator, after alice reported what she saw. */
async function recordFeeds(alice: TestUser, bob: TestUser): Promise<RecordedWorld['feeds']> {
  const sqlite = path.join(folder, 'feedgen.sqlite')
  await using postgres = await startPostgres()
  const url = await postgres.database()
  const views: Record<'sqlite' | 'postgres', FeedView[]> = { sqlite: [], postgres: [] }
  for (const kind of ['sqlite', 'postgres'] as const) {
    const env = kind === 'sqlite' ? { FEEDGEN_SQLITE_LOCATION: sqlite } : { FEEDGEN_DATABASE_URL: url }
    using data = temporaryFolder()
    await using feedgen = await startProcess({
      file: 'feedgen/main.ts',
      env: {
        FEEDGEN_PORT: '0',
        FEEDGEN_DATA_DIRECTORY: data.path,
        FEEDGEN_SERVICE_DID: FEEDGEN_DID,
        FEEDGEN_PUBLISHER_DID: alice.did,
        FEEDGEN_SUBSCRIPTION_ENDPOINT: PDS_URL,
        PDS_DID_PLC_URL: plc.url,
        ...env,
      },
      ready: /feed generator at http/,
    })
    const service = /http:\S+/.exec(feedgen.output())?.[0] as string
    const last = await bob.agent.post({ text: `the last one, in ${kind}` })
    const ask = async (nsid: string, viewer: boolean) => {
      const agent = new AtpAgent({ service })
      const { data } = await alice.agent.com.atproto.server.getServiceAuth({ aud: FEEDGEN_DID, lxm: nsid })
      if (viewer) agent.setHeader('authorization', `Bearer ${data.token}`)
      return agent.app.bsky.feed
    }
    const page = async (name: string, viewer: boolean): Promise<FeedView> => {
      const feed = `at://${alice.did}/app.bsky.feed.generator/${name}`
      const feeds = await ask('app.bsky.feed.getFeedSkeleton', viewer)
      const { data } = await feeds.getFeedSkeleton({ feed, limit: 100 })
      return { feed, viewer, posts: data.feed.map(({ post }) => post) }
    }
    while ((await page('latest', false)).posts[0] !== last.uri) await pause()
    while ((await page('following', true)).posts[0] !== last.uri) await pause()
    const { feed, posts } = await page('booksky', true)
    const feeds = await ask('app.bsky.feed.sendInteractions', true)
    const event = 'app.bsky.feed.defs#interactionSeen'
    await feeds.sendInteractions({ interactions: posts.slice(0, 3).map((item) => ({ item, event, feed })) })
    const requestLess = { item: posts[4], event: 'app.bsky.feed.defs#requestLess' }
    await (await ask('app.bsky.feed.sendInteractions', true)).sendInteractions({
      interactions: [requestLess],
    })
    // Lists are made anew behind the ones that are served.
    while ((await page('booksky', true)).posts.length === posts.length) await pause()
    for (const name of FEEDS) {
      if (name !== 'following' && name !== 'mutuals') views[kind].push(await page(name, false))
      views[kind].push(await page(name, true))
    }
    await feedgen.stop()
  }
  compact(sqlite)
  writeFileSync(path.join(folder, 'feedgen.postgres.json'), await dumpOf(url))
  return views
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 200))
}

/** The statements that make the tables, and their rows. */
async function dumpOf(url: string): Promise<string> {
  const statements: string[] = []
  const pool = new Pool({ connectionString: url })
  await using postgres = await startPostgres()
  const empty = new Kysely<Schema>({
    dialect: new PostgresDialect({ pool: new Pool({ connectionString: await postgres.database() }) }),
    log: ({ query }) => {
      if (/^\s*(create|alter|drop)/i.test(query.sql)) statements.push(query.sql)
    },
  })
  await migrate(empty, 'postgres')
  await empty.destroy()
  const { rows: tables } = await pool.query(
    `select table_name from information_schema.tables where table_schema = 'public' order by 1`,
  )
  const rows: Record<string, unknown> = {}
  for (const { table_name } of tables) {
    const { rows: found } = await pool.query(`select to_jsonb(t) as row from "${table_name}" t`)
    rows[table_name] = found.map(({ row }) => row)
  }
  await pool.end()
  return `${JSON.stringify({ statements, rows }, null, 1)}\n`
}

/** One small file, with nothing left in a log beside it. */
function compact(file: string): void {
  const db = new Sqlite3(file)
  db.pragma('wal_checkpoint(TRUNCATE)')
  db.exec('VACUUM')
  db.pragma('wal_checkpoint(TRUNCATE)')
  db.close()
}
