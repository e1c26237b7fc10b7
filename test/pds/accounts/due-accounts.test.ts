/** Accounts that go by themselves: when, after which mail, and what is asked before. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { AtpAgent } from '@atproto/api'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import {
  createUser,
  type InProcessPds,
  PASSWORD,
  post,
  rejection,
  startPds,
  type TestUser,
} from '../../support/pds.ts'
import { type PlcDirectory, startPlc } from '../../support/plc.ts'
import { type MailServer, startMailServer } from '../../support/smtp.ts'
import { waitFor } from '../../support/waiting.ts'
import {
  bearerOf,
  createWithDid,
  eventsOf,
  inside,
  kindsOf,
  movingToken,
  operatorOf,
  strangerTo,
} from './support.ts'

const DAY_MS = 86_400_000
const OPERATOR = 'operator@mail.example'

let plc: PlcDirectory
let mails: MailServer
let from: InProcessPds
let pds: InProcessPds
let count = 0

beforeEach(async () => {
  plc = await startPlc()
  mails = await startMailServer()
  const env = { PDS_EMAIL_SMTP_URL: mails.url, PDS_EMAIL_FROM_ADDRESS: 'pds@mail.example' }
  from = await startPds({ plcUrl: plc.url, env })
  pds = await startPds({
    plcUrl: plc.url,
    env: {
      ...env,
      PDS_CONTACT_EMAIL_ADDRESS: OPERATOR,
      PDS_UNACTIVATED_ACCOUNTS_PER_NETWORK_MAX: '2',
      PDS_UNACTIVATED_BYTES_PER_NETWORK_MAX: '20000',
    },
  })
})
afterEach(async () => {
  vi.useRealTimers()
  await pds?.[Symbol.asyncDispose]()
  await from?.[Symbol.asyncDispose]()
  await mails?.[Symbol.asyncDispose]()
  await plc?.[Symbol.asyncDispose]()
})

/** Lets days pass, and what is due then be attended to. */
async function pass(days: number): Promise<void> {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + days * DAY_MS })
  await pds.services.dueAccounts.sweep()
  await sleep(0)
}

const isHere = ({ did }: { did: string }) => pds.services.accounts.find(did) !== undefined
const subjects = (to: string) =>
  mails.mails.filter((mail) => mail.to.includes(to)).map(({ subject }) => subject)
const dayIn = (days: number) =>
  new Date(Date.now() + days * DAY_MS).toLocaleDateString('en-GB', { dateStyle: 'long', timeZone: 'UTC' })
const accountOf = ({ did }: { did: string }) => ({ $type: 'com.atproto.admin.defs#repoRef', did }) as const
const takeDown = (user: { did: string }, applied: boolean) =>
  operatorOf(pds).admin.updateSubjectStatus({ subject: accountOf(user), takedown: { applied } })

describe('a deactivated account whose owner wants it deleted', () => {
  const PAST = '2020-01-01T00:00:00.000Z'
  const newUser = async () => {
    const name = `leaver${++count}`
    return { ...(await createUser(pds, name)), email: `${name}@mail.example` }
  }
  /** A session outlives the days that pass in a test. */
  const again = async ({ did }: TestUser) => {
    const agent = strangerTo(pds)
    await agent.login({ identifier: did, password: PASSWORD })
    return agent.com.atproto.server
  }

  it('goes thirty days later, however long ago it should have, after a mail that says when', async () => {
    const user = await newUser()
    await user.agent.com.atproto.server.deactivateAccount({ deleteAfter: PAST })
    await pds.services.dueAccounts.sweep()
    expect(mails.last(user.email)).toMatchObject({
      subject: 'Your Account Will Be Deleted',
      text: expect.stringContaining(`On ${dayIn(30)} it will be permanently deleted`),
    })
    await pass(29.9)
    expect(isHere(user)).toBe(true)
    expect(subjects(user.email)).toHaveLength(1)
    await pass(0.2)
    expect(isHere(user)).toBe(false)
    expect((await eventsOf(pds, user.did)).at(-1)).toMatchObject({ status: 'deleted' })
  })

  it('goes on its own date where that is later, wherever on earth it was written, unless it is activated', async () => {
    const users = [await newUser(), await newUser()] as const
    const date = new Date(Date.now() + 50 * DAY_MS + 2 * 3_600_000).toISOString().replace('Z', '+02:00')
    for (const { agent } of users) await agent.com.atproto.server.deactivateAccount({ deleteAfter: date })
    await pass(49.9)
    expect(users.map(isHere)).toEqual([true, true])
    await (await again(users[1])).activateAccount()
    await pass(0.2)
    expect(users.map(isHere)).toEqual([false, true])
  })

  it('stays while no mail leaves, and some days after it did', async () => {
    const user = await newUser()
    mails.refusing = true
    await user.agent.com.atproto.server.deactivateAccount({ deleteAfter: PAST })
    await pass(40)
    expect(isHere(user)).toBe(true)
    mails.refusing = false
    await pass(1)
    expect(subjects(user.email)).toEqual(['Your Account Will Be Deleted'])
    await pass(6.9)
    expect(isHere(user)).toBe(true)
    await pass(0.2)
    expect(isHere(user)).toBe(false)
  })

  it('stays while it is taken down, and gets another mail after that', async () => {
    const user = await newUser()
    await user.agent.com.atproto.server.deactivateAccount({ deleteAfter: PAST })
    await pds.services.dueAccounts.sweep()
    await takeDown(user, true)
    await pass(100)
    expect(isHere(user)).toBe(true)
    await takeDown(user, false)
    await pds.services.dueAccounts.sweep()
    expect(subjects(user.email)).toHaveLength(2)
    expect(isHere(user)).toBe(true)
    await pass(8)
    expect(isHere(user)).toBe(false)
  })

  it('is not one that is taken down: its wish is not kept, then or later', async () => {
    const user = await newUser()
    await takeDown(user, true)
    const login = { identifier: user.did, password: PASSWORD, allowTakendown: true }
    const { accessJwt } = (await strangerTo(pds).com.atproto.server.createSession(login)).data
    const { server } = bearerOf(pds, accessJwt)
    await server.deactivateAccount({ deleteAfter: PAST })
    await takeDown(user, false)
    // The token of the time before goes on for a while.
    await server.deactivateAccount({ deleteAfter: PAST })
    await pass(100)
    expect(isHere(user)).toBe(true)
    expect(subjects(user.email)).toEqual([])
  })
})

describe('an account that moved in and was never active', () => {
  const KEPT = 'SELECT count(*) FROM account WHERE did = ? AND length(signingKey) > 0'
  const hasKey = (did: string) => inside(pds, (db) => db.prepare<[string]>(KEPT).pluck().get(did)) === 1
  const isEmptied = (did: string) => {
    const account = pds.services.accounts.find(did)!
    const blobs = inside(pds, (db) =>
      db.prepare<[number]>('SELECT count(*) FROM blob WHERE account = ?').pluck().get(account.id),
    )
    return pds.services.checkups.of(account).then(({ indexedRecords }) => {
      return indexedRecords === 0 && blobs === 0
    })
  }

  const enter = async (user: TestUser) => {
    const moved = await createWithDid(pds, user, await movingToken(user.agent, 'did:web:localhost'))
    return { moved, email: `${user.handle.replace('.test', '')}@moved.example` }
  }

  /** Somebody who has brought a repository and a blob. */
  async function mover() {
    const user = await createUser(from, `mover${++count}`)
    const { blob } = (await user.agent.uploadBlob(Buffer.from('a blob'), { encoding: 'text/plain' })).data
    const record = { ...post('with a blob'), blob }
    const collection = 'com.example.thing'
    await user.agent.com.atproto.repo.createRecord({
      repo: user.did,
      collection,
      record: { ...record, $type: collection },
    })
    const { moved, email } = await enter(user)
    const { data: car } = await user.agent.com.atproto.sync.getRepo({ did: user.did })
    await moved.com.atproto.repo.importRepo(car, { encoding: 'application/vnd.ipld.car' })
    await moved.uploadBlob(Buffer.from('a blob'), { encoding: 'text/plain' })
    return { user, moved, email, car }
  }

  /** Its identity names this host from here on. */
  async function moveIdentity({ agent }: TestUser, moved: AtpAgent): Promise<void> {
    const { data: wanted } = await moved.com.atproto.identity.getRecommendedDidCredentials()
    await agent.com.atproto.identity.requestPlcOperationSignature()
    const token = mails.code(agent.session!.email!)
    const { data } = await agent.com.atproto.identity.signPlcOperation({ ...wanted, token })
    await moved.com.atproto.identity.submitPlcOperation(data)
  }

  it('keeps its account and key while its identity names this host, and can be filled again', async () => {
    const { user, moved, email, car } = await mover()
    await moveIdentity(user, moved)
    await pass(22)
    expect(subjects(email)).toEqual([])
    await pass(2)
    expect(mails.last(email).subject).toBe('Your Move Is Not Finished')
    expect(await isEmptied(user.did)).toBe(false)
    await pass(8)
    expect(await isEmptied(user.did)).toBe(true)
    expect(hasKey(user.did)).toBe(true)
    await waitFor(() => expect(subjects(OPERATOR)).toEqual(['An Unfinished Move Was Cleared']))
    await pass(100)
    await pass(100)
    expect(hasKey(user.did)).toBe(true)
    expect(subjects(OPERATOR)).toHaveLength(1)
    expect(subjects(email)).toHaveLength(1)

    await moved.login({ identifier: user.did, password: 'new password' })
    await moved.com.atproto.repo.importRepo(car, { encoding: 'application/vnd.ipld.car' })
    expect((await moved.com.atproto.repo.listMissingBlobs()).data.blobs).toHaveLength(1)
    await moved.uploadBlob(Buffer.from('a blob'), { encoding: 'text/plain' })
    await moved.com.atproto.server.activateAccount()
    expect((await moved.com.atproto.server.checkAccountStatus()).data).toMatchObject({
      activated: true,
      validDid: true,
      indexedRecords: 1,
      importedBlobs: 1,
    })
    await pass(100)
    expect(await isEmptied(user.did)).toBe(false)
    vi.useRealTimers()
    expect(kindsOf(await eventsOf(pds, user.did))).toEqual(['identity', 'account', 'identity', 'sync'])
  })

  it('stays whole while its identity cannot be asked, and goes when it lives elsewhere', async () => {
    const { user, email } = await mover()
    await pass(24)
    expect(subjects(email)).toHaveLength(1)
    await plc[Symbol.asyncDispose]()
    await pass(8)
    await pass(50)
    expect(isHere(user) && !(await isEmptied(user.did))).toBe(true)
    // The answer is there again, and says that the account is where it was.
    vi.spyOn(pds.services.identities, 'whereIs').mockResolvedValue('elsewhere')
    await pass(1.1)
    expect(isHere(user)).toBe(false)
    await waitFor(() => expect(subjects(OPERATOR)).toEqual(['An Unfinished Move Was Removed']))
    plc = await startPlc()
  })

  it('is looked up where its identity is kept', async () => {
    const { user, moved } = await mover()
    const account = pds.services.accounts.find(user.did)!
    const whereIs = () => pds.services.identities.whereIs(account)
    expect(await whereIs()).toBe('elsewhere')
    await moveIdentity(user, moved)
    expect(await whereIs()).toBe('here')
    // A directory that does not know it may be another one.
    expect(
      await pds.services.identities.whereIs({ ...account, did: 'did:plc:aaaaaaaaaaaaaaaaaaaaaaaa' }),
    ).toBe('unknown')
    expect(await pds.services.identities.whereIs({ ...account, did: 'did:web:localhost%3A1' })).toBe(
      'unknown',
    )
    await plc[Symbol.asyncDispose]()
    expect(await whereIs()).toBe('unknown')
    plc = await startPlc()
  })

  it.each<[string, (moved: AtpAgent, car: Uint8Array) => Promise<unknown>]>([
    [
      'importRepo',
      (moved, car) => moved.com.atproto.repo.importRepo(car, { encoding: 'application/vnd.ipld.car' }),
    ],
    ['uploadBlob', (moved) => moved.uploadBlob(Buffer.from('another'), { encoding: 'text/plain' })],
    [
      'a step that fails',
      (moved) => rejection(moved.com.atproto.identity.submitPlcOperation({ operation: {} })),
    ],
  ])('is given time by %s', async (_, step) => {
    const { user, moved, car } = await mover()
    await pass(29)
    await moved.login({ identifier: user.did, password: 'new password' })
    await step(moved, car)
    await pass(7)
    await pass(10)
    expect(isHere(user) && !(await isEmptied(user.did))).toBe(true)
  })

  it('has a quota with others from its network, in number and bytes, until it is active', async () => {
    const users = [
      await createUser(from, `full${++count}`),
      await createUser(from, `full${++count}`),
    ] as const
    const third = await createUser(from, `full${++count}`)
    const [first, second] = [await enter(users[0]), await enter(users[1])]
    expect(await rejection(enter(third))).toMatchObject({ status: 400, error: 'QuotaExceeded' })
    const upload = (agent: AtpAgent, bytes: number) =>
      agent.uploadBlob(Buffer.alloc(bytes, String(bytes)), { encoding: 'text/plain' })
    await upload(first.moved, 15_000)
    expect(await rejection(upload(second.moved, 6_000))).toMatchObject({
      status: 400,
      error: 'QuotaExceeded',
    })
    await upload(second.moved, 1_000)
    const car = Buffer.alloc(6_000)
    expect(
      await rejection(
        second.moved.com.atproto.repo.importRepo(car, { encoding: 'application/vnd.ipld.car' }),
      ),
    ).toMatchObject({ error: 'QuotaExceeded' })
    await moveIdentity(users[0], first.moved)
    await first.moved.com.atproto.server.activateAccount()
    await upload(first.moved, 16_000)
    await upload(second.moved, 6_000)
    await enter(third)
  })
})
