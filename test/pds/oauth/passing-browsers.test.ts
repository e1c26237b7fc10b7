/**
 * Browsers at the sign-in and account pages: strangers leave nothing behind, people stay signed in.
 */
import type { DeviceData, DeviceId } from '@atproto/oauth-provider/store'
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest'
import { PassingBrowsers } from '../../../pds/oauth/passing-browsers.ts'
import { Visits } from '../../../pds/oauth/visits.ts'
import { loopbackApp, signInToApp, Visitor } from '../../support/oauth.ts'
import { createUser, type InProcessPds, PASSWORD, startPds } from '../../support/pds.ts'
import { type PlcDirectory, startPlc } from '../../support/plc.ts'
import { inside } from '../accounts/support.ts'

const SCOPE = 'atproto transition:generic'

let plc: PlcDirectory
let pds: InProcessPds

beforeAll(async () => {
  plc = await startPlc()
  pds = await startPds({ plcUrl: plc.url })
})
afterAll(async () => {
  await pds?.[Symbol.asyncDispose]()
  await plc?.[Symbol.asyncDispose]()
})
afterEach(() => {
  vi.useRealTimers()
})

let pages = 0

const rows = () =>
  inside(pds, (db) => db.prepare<[], { userAgent: string | null }>('SELECT userAgent FROM device').all())

test('a browser has a row once somebody signs in on it, and then stays signed in', async () => {
  const user = await createUser(pds, 'alice')
  const visitor = new Visitor(pds)
  for (let n = 0; n < 3; n++) {
    await visitor.open('/account')
    await new Visitor(pds).open('/account')
  }
  expect(rows()).toEqual([])
  const app = loopbackApp(pds, plc.url, SCOPE)
  await signInToApp(app, pds, user, { scope: SCOPE, visitor })
  expect(rows()).toHaveLength(1)
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 3 * 3_600_000 })
  expect((await visitor.open('/account')).text).toContain(user.did)
})

test('a browser that is signed in for one visit is known to the pages beside the account page', async () => {
  const user = await createUser(pds, 'visitor')
  const title = () => visitor.open('/account/security').then(({ text }) => text)
  const visitor = new Visitor(pds)
  await visitor.open('/account')
  expect(await title()).toContain('Sign in first')
  await visitor.open('/account')
  const { body } = await visitor.signIn(user.handle, PASSWORD, { remember: false })
  expect(body.ephemeralToken).toBeDefined()
  expect(await title()).toContain(user.did)
  const { text } = await visitor.submit('/account/security', { did: user.did, password: PASSWORD })
  expect(text).toContain('Authenticator app')
  // Nobody else's browser, and not for longer than the visit.
  const other = new Visitor(pds)
  await other.open('/account')
  expect((await other.open('/account/security')).text).toContain('Sign in first')
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 16 * 60_000 })
  expect(await title()).toContain('Sign in first')
})

test('a visit ends by signing out, and with every session of the account', async () => {
  const user = await createUser(pds, 'leaver')
  const visitor = new Visitor(pds)
  const page = () => visitor.open('/account/security').then(({ text }) => text)
  const signIn = async () => {
    await visitor.open('/account')
    await visitor.signIn(user.handle, PASSWORD, { remember: false })
    expect(await page()).toContain(user.did)
    await visitor.open('/account')
  }
  await signIn()
  await visitor.call('/sign-out', { did: user.did })
  expect(await page()).toContain('Sign in first')
  await signIn()
  await pds.services.sessions.endAll(pds.services.accounts.find(user.did)!)
  expect(await page()).toContain('Sign in first')
})

test.each([
  [
    'a new password',
    ({ passwordChanges }: InProcessPds['services'], did: string) =>
      passwordChanges.set(did, 'another password'),
  ],
  [
    'signing out everywhere',
    ({ sessions, accounts }: InProcessPds['services'], did: string) => sessions.endAll(accounts.find(did)!),
  ],
])('an open page that was not remembered works no longer after %s', async (_, end) => {
  const n = ++pages
  const user = await createUser(pds, `open-page-${n}`)
  const visitor = new Visitor(pds)
  await visitor.open('/account')
  const { body } = await visitor.signIn(user.handle, PASSWORD, { remember: false })
  const sessions = () =>
    visitor.call('/oauth-sessions', { did: user.did }, { method: 'GET', token: body.ephemeralToken })
  expect(await sessions()).toMatchObject({ status: 200 })
  // Somebody who signs in to an app without being remembered, and has not consented yet.
  const atConsent = new Visitor(pds)
  const { client } = loopbackApp(pds, plc.url, SCOPE)
  await atConsent.open((await client.authorize(pds.url, { scope: SCOPE })).href)
  const { body: waiting } = await atConsent.signIn(user.handle, PASSWORD, { remember: false })
  await end(pds.services, user.did)
  expect(await sessions()).toMatchObject({ status: 401 })
  const told = await atConsent.consent(user.did, waiting.ephemeralToken)
  expect([told.get('code'), told.get('error_description')]).toEqual([null, 'Invalid or expired bearer token'])
})

test('visits are bounded', () => {
  const visits = new Visits({ byDid: () => ({ sessionGeneration: 1, takedownRef: null }) as never })
  const idOf = (n: number) => `dev-${n}` as DeviceId
  for (let n = 0; n < 10_010; n++) visits.begin(idOf(n), 'did:web:a.example')
  expect(visits.of(idOf(9))).toEqual([])
  expect(visits.of(idOf(10))).toEqual(['did:web:a.example'])
})

test('an overlong user agent is truncated, and the browser keeps its session', async () => {
  const { handle } = await createUser(pds, 'carol')
  const said = { 'user-agent': 'x'.repeat(12_000) }
  const visitor = new Visitor(pds, '', said)
  await visitor.open('/account')
  await visitor.signIn(handle)
  const kept = rows().filter(({ userAgent }) => userAgent !== null)
  expect(kept).toEqual([{ userAgent: 'x'.repeat(256) }])
  const cookies = visitor.cookies()
  await visitor.open('/account')
  await visitor.open('/account')
  expect(visitor.cookies()).toBe(cookies)
})

test('browsers that pass by are bounded for each network, and forgotten after an hour', () => {
  const browsers = new PassingBrowsers()
  const idOf = (n: number) => `dev-${n}` as DeviceId
  const dataOf = (ipAddress: string) =>
    ({ sessionId: 'ses-0', userAgent: null, ipAddress, lastSeenAt: new Date() }) as unknown as DeviceData
  browsers.add('dev-other' as DeviceId, dataOf('192.0.2.1'))
  for (let n = 0; n < 600; n++) browsers.add(idOf(n), dataOf(`2001:db8::${n.toString(16)}`))
  const kept = Array.from({ length: 600 }, (_, n) => browsers.get(idOf(n)) !== undefined)
  expect(kept.filter(Boolean)).toHaveLength(500)
  expect(kept.at(-1)).toBe(true)
  expect(browsers.get('dev-other' as DeviceId)).toBeDefined()
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 61 * 60_000 })
  expect(browsers.get(idOf(599))).toBeUndefined()
  expect(browsers.update(idOf(599), {})).toBe(false)
})
