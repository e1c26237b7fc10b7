/** Preferences, kept as `@atproto/pds` keeps them. */
import { createServiceJwt } from '@atproto/xrpc-server'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { SigningKey } from '#protocol/keys.ts'
import { type Ask, ask, type Side, type Sides, startSides } from '../../support/sides.ts'

let sides: Sides

beforeAll(async () => {
  sides = await startSides()
})
afterAll(() => sides?.[Symbol.asyncDispose]())
beforeEach(async () => {
  sides.reset()
  await put([])
})

const GET = '/xrpc/app.bsky.actor.getPreferences'
const PUT = '/xrpc/app.bsky.actor.putPreferences'

const adult = { $type: 'app.bsky.actor.defs#adultContentPref', enabled: true }
const tags = { $type: 'app.bsky.actor.defs#interestsPref', tags: ['cats', 'sea'] }
const unknown = { $type: 'app.bsky.actor.defs#somethingNewPref', nested: { values: [1, null, 'a'] } }
const personal = (birthDate: string) => ({ $type: 'app.bsky.actor.defs#personalDetailsPref', birthDate })
const BIRTH = '1990-05-05T00:00:00.000Z'

const putting = (preferences: unknown, more: Partial<Ask> = {}): Ask => ({
  method: 'POST',
  path: PUT,
  body: JSON.stringify({ preferences }),
  ...more,
  headers: { 'content-type': 'application/json', ...more.headers },
})
const put = (preferences: unknown, more: Partial<Ask> = {}) => sides.agree(putting(preferences, more))

async function get(more: Partial<Ask> = {}) {
  const { status, body } = await sides.agree({ path: GET, ...more })
  expect(status).toBe(200)
  return JSON.parse(body).preferences
}

test('are given back as they were set, in their order', async () => {
  expect(await put([adult, unknown, tags])).toMatchObject({ status: 200, body: '""', reached: [] })
  expect(await get()).toEqual([adult, unknown, tags])
  await put([tags, adult, adult])
  expect(await get()).toEqual([tags, adult, adult])
  await put([])
  expect(await get()).toEqual([])
})

test("are each account's own", async () => {
  await put([adult])
  const other = await sides.ours.user.agent.clone()
  await other.createAccount({ handle: 'other.test', email: 'other@mail.example', password: 'other password' })
  expect((await other.app.bsky.actor.getPreferences()).data.preferences).toEqual([])
})

describe('with a date of birth', () => {
  test('say how old the account is, at least', async () => {
    await put([personal(BIRTH), adult])
    expect(await get()).toEqual([
      personal(BIRTH),
      adult,
      {
        $type: 'app.bsky.actor.defs#declaredAgePref',
        isOverAge13: true,
        isOverAge16: true,
        isOverAge18: true,
      },
    ])
    const year = new Date().getFullYear() - 14
    await put([personal(`${year}-01-01T00:00:00.000Z`)])
    expect((await get()).at(-1)).toMatchObject({ isOverAge13: true, isOverAge16: false, isOverAge18: false })
  })

  test('do not tell it to an app password, nor let it be set by one', async () => {
    for (const token of ['plain', 'privileged'] as const) {
      await put([personal(BIRTH)])
      expect(await get({ token })).toEqual([expect.objectContaining({ isOverAge18: true })])
      expect(await put([personal(BIRTH)], { token })).toMatchObject({ status: 400 })
      await put([adult], { token })
      expect(await get()).toEqual([personal(BIRTH), adult, expect.objectContaining({ isOverAge18: true })])
    }
  })

  test('do not let the age be set', async () => {
    await put([
      {
        $type: 'app.bsky.actor.defs#declaredAgePref',
        isOverAge13: true,
        isOverAge16: true,
        isOverAge18: true,
      },
    ])
    expect(await get()).toEqual([])
  })
})

test.each([
  ['of another namespace', [adult, { $type: 'com.example.pref' }]],
  ['of a name that only begins alike', [{ $type: 'app.bskyer.pref' }]],
  ['without a type', [{ enabled: true }]],
  ['that are no objects', ['text']],
  ['that are no list', adult],
])('%s are refused', async (_, preferences) => {
  await put([tags])
  const asked = putting(preferences)
  const [our, their] = await Promise.all([ask(sides.ours, asked), ask(sides.theirs, asked)])
  expect(our.status).toBe(their.status)
  expect(our.status).toBe(400)
  expect(JSON.parse(our.body).error).toBe(JSON.parse(their.body).error)
  expect(await get()).toEqual([tags])
})

describe('of another AppView', () => {
  const header = ({ services }: Side) => ({ 'atproto-proxy': `${services.did}#other` })

  test('are asked of it', async () => {
    sides.answerWith('app.bsky.actor.getPreferences', () => ({ body: { preferences: [tags] } }))
    const { body, reached } = await sides.agree((side) => ({ path: GET, headers: header(side) }))
    expect(JSON.parse(body)).toEqual({ preferences: [tags] })
    expect(JSON.parse(reached[0] as string)).toMatchObject({
      token: { lxm: 'app.bsky.actor.getPreferences' },
    })
  })

  test('are set there, where @atproto/pds fails', async () => {
    sides.answerWith('app.bsky.actor.putPreferences', () => (_, response) => response.end())
    const { status, reached } = await ask(sides.ours, (side) => putting([unknown], { headers: header(side) }))
    expect(status).toBe(200)
    expect(JSON.parse(reached[0] as string)).toMatchObject({
      body: { preferences: [unknown] },
      token: { iss: 'DID', aud: 'SERVICES', lxm: 'app.bsky.actor.putPreferences' },
    })
    expect(await get(), 'ours are as they were').toEqual([])
  })
})

describe('for the moderation service', () => {
  const tokenOf = (service: Side['services'], key: SigningKey, more: object = {}) =>
    createServiceJwt({
      iss: service.did,
      aud: 'did:web:localhost',
      lxm: 'app.bsky.actor.getPreferences',
      keypair: { jwtAlg: key.algorithm, did: () => key.did, sign: async (message) => key.sign(message) },
      ...more,
    })

  async function asModerator(path: (side: Side) => string, more: object = {}) {
    const asked = async (side: Side) => {
      const authorization = `Bearer ${await tokenOf(side.services, side.services.key, more)}`
      return ask(side, { path: path(side), token: null, headers: { authorization } })
    }
    const [our, their] = await Promise.all([asked(sides.ours), asked(sides.theirs)])
    expect(our).toEqual(their)
    return our
  }

  test('are those of the account that it names', async () => {
    await put([personal(BIRTH)])
    const { status, body } = await asModerator(({ user }) => `${GET}?did=${user.did}`)
    expect(status).toBe(200)
    expect(JSON.parse(body).preferences[0]).toEqual(personal(BIRTH))
  })

  test('are refused when it names none, or its token is for something else', async () => {
    expect(await asModerator(() => GET)).toMatchObject({ status: 400 })
    const path = ({ user }: Side) => `${GET}?did=${user.did}`
    for (const more of [
      { aud: 'did:web:example.com' },
      { lxm: 'app.bsky.actor.putPreferences' },
      { iss: 'did:plc:a' },
    ]) {
      expect((await asModerator(path, more)).status).toBe(400)
    }
  })
})

test('can be read by an account that was taken down, and not set', async () => {
  const { accounts, sessions } = sides.pds.services
  const account = accounts.find(sides.ours.user.did)!
  const { accessJwt } = await sessions.issue(account, 'com.atproto.takendown')
  const headers = { authorization: `Bearer ${accessJwt}` }
  expect(await ask(sides.ours, { path: GET, token: null, headers })).toMatchObject({ status: 200 })
  expect(await ask(sides.ours, putting([adult], { token: null, headers }))).toMatchObject({
    status: 400,
    body: '{"error":"InvalidToken","message":"Bad token scope"}',
  })
})
