/** Invite codes: what the operator gives, what accounts earn, and who came by which. */
import { AtpAgent } from '@atproto/api'
import Sqlite3 from 'better-sqlite3'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { intervalsSince } from '../../../pds/accounts/invites.ts'
import { type InProcessPds, PASSWORD, rejection, secrets, startPds } from '../../support/pds.ts'
import { type PlcDirectory, startPlc } from '../../support/plc.ts'

const DAY_MS = 86_400_000

let plc: PlcDirectory
let pds: InProcessPds

beforeAll(async () => {
  plc = await startPlc()
  pds = await startPds({
    plcUrl: plc.url,
    env: { PDS_INVITE_REQUIRED: 'true', PDS_INVITE_INTERVAL: String(DAY_MS) },
  })
})
afterAll(async () => {
  await pds?.[Symbol.asyncDispose]()
  await plc?.[Symbol.asyncDispose]()
})
afterEach(() => {
  vi.useRealTimers()
})

const stranger = () => new AtpAgent({ service: pds.url })
const operator = () => {
  const agent = stranger()
  const basic = Buffer.from(`admin:${secrets.PDS_ADMIN_PASSWORD}`).toString('base64')
  agent.setHeader('authorization', `Basic ${basic}`)
  return agent.com.atproto
}
const codeFor = async (useCount = 1, forAccount?: string): Promise<string> =>
  (await operator().server.createInviteCode({ useCount, forAccount })).data.code

let count = 0
async function join(inviteCode: string | undefined) {
  const agent = stranger()
  const name = `guest${++count}`
  const account = { handle: `${name}.test`, email: `${name}@mail.example`, password: PASSWORD }
  await agent.createAccount({ ...account, inviteCode })
  return { agent, did: agent.session!.did, handle: account.handle }
}
/** What the PLC directory was told. */
const operations = async () =>
  (await (await fetch(`${plc.url}/export?count=1000`)).text()).split('\n').filter(Boolean)
const joining = (inviteCode?: string) => rejection(join(inviteCode))
/** Signs in anew: the access token of before has gone with the time. */
async function codesOf({ handle }: { handle: string }, params: object = {}) {
  const agent = stranger()
  await agent.login({ identifier: handle, password: PASSWORD })
  return (await agent.com.atproto.server.getAccountInviteCodes(params)).data.codes
}
const daysLater = (days: number) => vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + days * DAY_MS })

describe('an account', () => {
  test('is made with a code while it has uses left', async () => {
    expect((await stranger().com.atproto.server.describeServer()).data.inviteCodeRequired).toBe(true)
    expect(await joining()).toMatchObject({
      status: 400,
      error: 'InvalidInviteCode',
      message: 'No invite code provided',
    })
    expect(await joining('localhost-aaaaa-aaaaa')).toMatchObject({
      status: 400,
      error: 'InvalidInviteCode',
      message: 'Provided invite code not available',
    })
    const code = await codeFor(2)
    expect(code).toMatch(/^localhost-[a-z2-7]{5}-[a-z2-7]{5}$/)
    await join(code)
    await join(code)
    expect(await joining(code)).toMatchObject({ error: 'InvalidInviteCode' })
  })

  test('of those that ask at once, as many as the code has uses, and no identity for the others', async () => {
    const code = await codeFor(2)
    const before = (await operations()).length
    const guests = await Promise.allSettled([1, 2, 3, 4].map(() => join(code)))
    expect(guests.filter(({ status }) => status === 'fulfilled')).toHaveLength(2)
    expect((await operations()).length - before).toBe(2)
    expect(await joining(code)).toMatchObject({ error: 'InvalidInviteCode' })
  })

  test('that fails for another reason leaves the code as it was', async () => {
    const code = await codeFor(1)
    const taken = await join(await codeFor(1))
    const again = stranger().createAccount({
      handle: taken.handle,
      email: 'again@mail.example',
      password: PASSWORD,
      inviteCode: code,
    })
    expect(await rejection(again)).toMatchObject({
      status: 400,
      message: `Handle already taken: ${taken.handle}`,
    })
    await join(code)
  })

  test('earns a code a day, five of them open at most', async () => {
    const host = await join(await codeFor(1))
    expect(await codesOf(host)).toEqual([])
    daysLater(2.5)
    expect(await codesOf(host, { createAvailable: false })).toEqual([])
    const [first, second, ...more] = await codesOf(host)
    expect(more).toEqual([])
    expect(first).toEqual({
      code: expect.stringMatching(/^localhost-[a-z2-7]{5}-[a-z2-7]{5}$/),
      available: 1,
      disabled: false,
      forAccount: host.did,
      createdBy: host.did,
      createdAt: expect.stringMatching(/Z$/),
      uses: [],
    })
    expect(await codesOf(host)).toHaveLength(2)
    daysLater(100)
    expect(await codesOf(host)).toHaveLength(5)
    const guest = await join(first?.code)
    const codes = await codesOf(host)
    expect(codes, 'the one that was used makes room for another').toHaveLength(6)
    expect(codes.find(({ code }) => code === first?.code)?.uses).toEqual([
      { usedBy: guest.did, usedAt: expect.stringMatching(/Z$/) },
    ])
    const unused = await codesOf(host, { includeUsed: false })
    expect(unused.map(({ code }) => code)).toContain(second?.code)
    expect(unused).toHaveLength(5)
  })

  test('is given codes by the operator beside those it earns', async () => {
    const host = await join(await codeFor(1))
    const gift = await codeFor(3, host.did)
    daysLater(1.5)
    const codes = await codesOf(host)
    expect(codes).toHaveLength(2)
    expect(codes.find(({ code }) => code === gift)).toMatchObject({ available: 3, createdBy: 'admin' })
  })
})

describe('the operator', () => {
  test('makes many codes for many', async () => {
    const [ada, ben] = [await join(await codeFor()), await join(await codeFor())]
    const forAccounts = [ada.did, ben.did]
    const { codes } = (await operator().server.createInviteCodes({ codeCount: 3, useCount: 1, forAccounts }))
      .data
    expect(codes.map(({ account, codes }) => [account, codes.length])).toEqual([
      [ada.did, 3],
      [ben.did, 3],
    ])
    expect((await codesOf(ada)).map(({ code }) => code).sort()).toEqual([...(codes[0]?.codes ?? [])].sort())
    const own = (await operator().server.createInviteCodes({ codeCount: 1, useCount: 1 })).data.codes
    expect(own).toEqual([{ account: 'admin', codes: [expect.any(String)] }])
    const tooMany = operator().server.createInviteCodes({ codeCount: 501, useCount: 1, forAccounts })
    expect(await rejection(tooMany)).toMatchObject({ status: 400 })
  })

  test('disables codes, and all those of an account', async () => {
    const host = await join(await codeFor())
    const [one, two, three] = [await codeFor(1, host.did), await codeFor(1, host.did), await codeFor()]
    await operator().admin.disableInviteCodes({ codes: [one] })
    expect(await joining(one)).toMatchObject({ error: 'InvalidInviteCode' })
    expect(
      (await codesOf(host)).map(({ code }) => code),
      'disabled ones are not shown',
    ).toEqual([two])
    await operator().admin.disableInviteCodes({ accounts: [host.did] })
    expect(await joining(two)).toMatchObject({ error: 'InvalidInviteCode' })
    expect(await rejection(operator().admin.disableInviteCodes({ accounts: ['admin'] }))).toMatchObject({
      status: 400,
      message: 'cannot disable admin invite codes',
    })
    await join(three)
  })

  test('lets an account earn no more codes, and forgives it', async () => {
    const host = await join(await codeFor())
    const info = async () => (await operator().admin.getAccountInfo({ did: host.did })).data
    await operator().admin.disableAccountInvites({ account: host.did, note: 'too many friends' })
    expect(await info()).toMatchObject({ invitesDisabled: true })
    daysLater(3.5)
    expect(await codesOf(host)).toEqual([])
    expect((await info()).invites, 'they are made all the same').toMatchObject([
      { disabled: true },
      { disabled: true },
      { disabled: true },
    ])
    await operator().admin.enableAccountInvites({ account: host.did })
    expect(await info()).toMatchObject({ invitesDisabled: false })
    daysLater(1)
    expect(await codesOf(host)).toHaveLength(1)
  })

  test('refuses the codes of an account that was taken down', async () => {
    const host = await join(await codeFor())
    const code = await codeFor(1, host.did)
    const database = new Sqlite3(`${pds.folder}/atoll.sqlite`)
    database.prepare('UPDATE account SET takedownRef = ? WHERE did = ?').run('spam', host.did)
    database.close()
    expect(await joining(code)).toMatchObject({ error: 'InvalidInviteCode' })
  })

  test('sees who came by which', async () => {
    const host = await join(await codeFor())
    const code = await codeFor(5, host.did)
    const guests = [await join(code), await join(code)]
    for (const guest of guests) {
      const { data } = await operator().admin.getAccountInfo({ did: guest.did })
      expect(data.invitedBy).toMatchObject({ code, forAccount: host.did, createdBy: 'admin', available: 5 })
      expect(data.invitedBy?.uses.map(({ usedBy }) => usedBy).sort()).toEqual(
        guests.map(({ did }) => did).sort(),
      )
    }
  })

  test('lists all codes in pages, by time or by use', async () => {
    const popular = await codeFor(9)
    for (let n = 0; n < 3; n++) await join(popular)
    for (const sort of ['recent', 'usage']) {
      const all: string[] = []
      const order: (number | string)[] = []
      for (let cursor: string | undefined; ; ) {
        const { data } = await operator().admin.getInviteCodes({ sort, limit: 7, cursor })
        all.push(...data.codes.map(({ code }) => code))
        order.push(...data.codes.map(({ uses, createdAt }) => (sort === 'usage' ? uses.length : createdAt)))
        if (data.codes.length < 7) break
        cursor = data.cursor
      }
      expect(new Set(all).size, sort).toBe(all.length)
      expect(all.length).toBeGreaterThan(15)
      expect(order).toEqual(order.toSorted((a, b) => (a < b ? 1 : a > b ? -1 : 0)))
      if (sort === 'usage') expect(all.indexOf(popular)).toBeLessThan(2)
    }
    const list = (params: object) => rejection(operator().admin.getInviteCodes(params))
    expect(await list({ sort: 'name' })).toMatchObject({ status: 400, message: 'unknown sort method: name' })
    expect(await list({ cursor: 'x' })).toMatchObject({ status: 400, message: 'Malformed cursor' })
  })

  test('is somebody who knows the password', async () => {
    const { agent } = await join(await codeFor())
    for (const server of [agent, stranger()]) {
      const call = server.com.atproto.server.createInviteCode({ useCount: 1 })
      expect(await rejection(call)).toMatchObject({ status: 401, error: 'AuthenticationRequired' })
    }
  })
})

test('intervals are counted from the epoch on', () => {
  const since = (birth: number, now: number, epoch: number) => intervalsSince(birth, now, epoch, 10)
  expect(since(100, 139, 0)).toBe(3)
  expect(since(100, 139, 100)).toBe(3)
  expect(since(100, 139, 125), 'two of the three ended before').toBe(1)
  expect(since(100, 100, 0)).toBe(0)
  expect(intervalsSince(100, 110, 0, 0), 'no interval at all is a short one').toBe(10)
})
