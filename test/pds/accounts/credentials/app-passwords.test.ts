/** App passwords: made, shown, used, and what their sessions may do. */
import { AtpAgent } from '@atproto/api'
import { decodeJwt } from 'jose'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  createUser,
  type InProcessPds,
  PASSWORD,
  rejection,
  startPds,
  type TestUser,
} from '../../../support/pds.ts'
import { type PlcDirectory, startPlc } from '../../../support/plc.ts'

let plc: PlcDirectory
let pds: InProcessPds
let user: TestUser
let count = 0

beforeAll(async () => {
  plc = await startPlc()
  pds = await startPds({ plcUrl: plc.url })
  user = await createUser(pds, 'owner')
})
afterAll(async () => {
  await pds?.[Symbol.asyncDispose]()
  await plc?.[Symbol.asyncDispose]()
})

const serverOf = (agent: AtpAgent) => agent.com.atproto.server
const make = async (privileged?: boolean) => {
  const { data } = await serverOf(user.agent).createAppPassword({ name: `app ${++count}`, privileged })
  return data
}
const login = async (password: string): Promise<AtpAgent> => {
  const agent = new AtpAgent({ service: pds.url })
  await agent.login({ identifier: user.handle, password })
  return agent
}
const refresh = (refreshJwt: string) =>
  serverOf(new AtpAgent({ service: pds.url })).refreshSession(undefined, {
    headers: { authorization: `Bearer ${refreshJwt}` },
  })
const scopeOf = (jwt: string) => decodeJwt(jwt).scope

test('are shown once, and listed without the password, newest first', async () => {
  const [plain, privileged] = [await make(), await make(true)]
  expect(plain).toEqual({
    name: expect.stringMatching(/^app \d+$/),
    password: expect.stringMatching(/^[a-z2-7]{4}(-[a-z2-7]{4}){3}$/),
    createdAt: expect.stringMatching(/^\d{4}-.*Z$/),
    privileged: false,
  })
  const { passwords } = (await serverOf(user.agent).listAppPasswords()).data
  const listed = ({ name, createdAt, privileged }: typeof plain) => ({ name, createdAt, privileged })
  expect(passwords).toEqual(expect.arrayContaining([listed(privileged), listed(plain)]))
  expect(passwords.map(({ createdAt }) => createdAt)).toEqual(
    passwords
      .map(({ createdAt }) => createdAt)
      .sort()
      .reverse(),
  )
  expect(await rejection(serverOf(user.agent).createAppPassword({ name: plain.name }))).toMatchObject({
    status: 400,
    error: 'InvalidRequest',
  })
})

test('sign in with a scope of their own, which refreshing keeps', async () => {
  for (const [privileged, scope] of [
    [false, 'com.atproto.appPass'],
    [true, 'com.atproto.appPassPrivileged'],
  ] as const) {
    const agent = await login((await make(privileged)).password)
    const first = agent.session!
    expect(scopeOf(first.accessJwt)).toBe(scope)
    const second = (await refresh(first.refreshJwt)).data
    expect(scopeOf(second.accessJwt)).toBe(scope)
    expect(scopeOf((await refresh(second.refreshJwt)).data.accessJwt)).toBe(scope)
  }
})

test('open no door of the account’s own, and all of the app’s', async () => {
  const agent = await login((await make(true)).password)
  const server = serverOf(agent)
  await agent.post({ text: 'from an app' })
  await server.getSession()
  await server.listAppPasswords()
  const closed: [string, () => Promise<unknown>][] = [
    ['createAppPassword', () => server.createAppPassword({ name: 'more' })],
    ['getAccountInviteCodes', () => server.getAccountInviteCodes()],
    ['requestEmailUpdate', () => server.requestEmailUpdate()],
    ['updateEmail', () => server.updateEmail({ email: 'thief@mail.example' })],
  ]
  for (const [name, call] of closed) {
    expect(await rejection(call()), name).toMatchObject({
      status: 400,
      error: 'InvalidToken',
      message: 'Bad token scope',
    })
  }
})

test('are taken back with the sessions that they began, and no others', async () => {
  const [gone, kept] = [await make(), await make()]
  const [agent, other] = [await login(gone.password), await login(kept.password)]
  const own = await login(PASSWORD)
  const old = agent.session!
  const next = (await refresh(old.refreshJwt)).data
  await serverOf(user.agent).revokeAppPassword({ name: gone.name })
  for (const { refreshJwt } of [old, next]) {
    expect(await rejection(refresh(refreshJwt))).toMatchObject({ status: 400, error: 'ExpiredToken' })
  }
  expect(await rejection(login(gone.password))).toMatchObject({
    status: 401,
    error: 'AuthenticationRequired',
    message: 'Invalid identifier or password',
  })
  await refresh(other.session!.refreshJwt)
  await refresh(own.session!.refreshJwt)
  await serverOf(user.agent).revokeAppPassword({ name: 'never there' })
})

test('are good for their own account only', async () => {
  const { password } = await make()
  await createUser(pds, 'neighbour')
  const agent = new AtpAgent({ service: pds.url })
  expect(await rejection(agent.login({ identifier: 'neighbour.test', password }))).toMatchObject({
    status: 401,
  })
})
