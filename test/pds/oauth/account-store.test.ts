/**
 * What becomes of apps and browsers when something becomes of the account, and what its owner does
 * on the account pages.
 */

import { AtpAgent } from '@atproto/api'
import type { OAuthSession } from '@atproto/oauth-client-node'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { askThrough, loopbackApp, procedure, signInToApp, Visitor } from '../../support/oauth.ts'
import {
  createUser,
  type InProcessPds,
  PASSWORD,
  post,
  secrets,
  startPds,
  type TestUser,
} from '../../support/pds.ts'
import { type PlcDirectory, startPlc } from '../../support/plc.ts'
import { type MailServer, startMailServer } from '../../support/smtp.ts'
import { waitFor } from '../../support/waiting.ts'

const SCOPE = 'atproto transition:generic account:status?action=manage'
const GET_SESSION = '/xrpc/com.atproto.server.getSession'

let plc: PlcDirectory
let mail: MailServer
let pds: InProcessPds

beforeAll(async () => {
  plc = await startPlc()
  mail = await startMailServer()
  pds = await startPds({
    plcUrl: plc.url,
    env: { PDS_EMAIL_SMTP_URL: mail.url, PDS_EMAIL_FROM_ADDRESS: 'pds@example.org' },
  })
})

afterAll(async () => {
  await pds[Symbol.asyncDispose]()
  await mail[Symbol.asyncDispose]()
  await plc[Symbol.asyncDispose]()
})

let names = 0
const newUser = () => createUser(pds, `user${names++}`)

const signedIn = async (user: TestUser): Promise<OAuthSession> =>
  signInToApp(loopbackApp(pds, plc.url, SCOPE), pds, user, { scope: SCOPE })

const write = (session: OAuthSession) =>
  askThrough(
    session,
    '/xrpc/com.atproto.repo.createRecord',
    procedure({ repo: session.did, collection: 'app.bsky.feed.post', record: post('hello') }),
  )

const operator = () => {
  const agent = new AtpAgent({ service: pds.url })
  agent.setHeader(
    'authorization',
    `Basic ${Buffer.from(`admin:${secrets.PDS_ADMIN_PASSWORD}`).toString('base64')}`,
  )
  return agent
}

const ENDED = { status: 401, body: { error: 'invalid_token' } }

describe('the session of an app', () => {
  test('writes no more when the account is deactivated, and again when it is active', async () => {
    const user = await newUser()
    const session = await signedIn(user)
    await user.agent.com.atproto.server.deactivateAccount({})
    expect(await write(session)).toMatchObject({ status: 401, body: { error: 'AccountDeactivated' } })
    await user.agent.com.atproto.server.activateAccount()
    expect(await write(session)).toMatchObject({ status: 200 })
  })

  test('ends when the account is taken down', async () => {
    const user = await newUser()
    const session = await signedIn(user)
    const other = await signedIn(user)
    const subject = { $type: 'com.atproto.admin.defs#repoRef', did: user.did } as const
    const agent = operator()
    const set = (applied: boolean) =>
      agent.com.atproto.admin.updateSubjectStatus({ subject, takedown: { applied } })
    await set(true)
    expect(await askThrough(session, GET_SESSION)).toMatchObject(ENDED)
    const visitor = new Visitor(pds)
    await visitor.open('/account')
    expect(await visitor.signIn(user.handle)).toMatchObject({
      status: 400,
      body: { error_description: 'Account was taken down' },
    })
    await set(false)
    expect(await askThrough(other, GET_SESSION)).toMatchObject(ENDED)
    expect(await visitor.signIn(user.handle)).toMatchObject({ status: 200 })
  })

  test('ends when the account is deleted', async () => {
    const user = await newUser()
    const session = await signedIn(user)
    await operator().com.atproto.admin.deleteAccount({ did: user.did })
    expect(await askThrough(session, GET_SESSION)).toMatchObject(ENDED)
  })

  test('ends with the password, as browsers are signed out', async () => {
    const user = await newUser()
    const visitor = new Visitor(pds)
    const session = await signInToApp(loopbackApp(pds, plc.url, SCOPE), pds, user, {
      scope: SCOPE,
      visitor,
    })
    await operator().com.atproto.admin.updateAccountPassword({ did: user.did, password: 'a new password' })
    expect(await askThrough(session, GET_SESSION)).toMatchObject(ENDED)
    await visitor.open('/account')
    expect((await visitor.call('/device-sessions', {}, { method: 'GET' })).body).toEqual([])
    expect(await visitor.signIn(user.handle)).toMatchObject({
      status: 400,
      body: { error_description: 'Invalid identifier or password' },
    })
    expect(await visitor.signIn(user.handle, 'a new password')).toMatchObject({ status: 200 })
  })
})

describe('an app that may manage the account’s status', () => {
  test('deactivates, activates, and asks for the deletion; other apps end', async () => {
    const user = await newUser()
    const session = await signedIn(user)
    const other = await signedIn(user)
    const { password } = (await user.agent.com.atproto.server.createAppPassword({ name: 'app' })).data
    const deactivated = await askThrough(session, '/xrpc/com.atproto.server.deactivateAccount', procedure({}))
    expect(deactivated.status).toBe(200)
    expect(await askThrough(other, GET_SESSION)).toMatchObject(ENDED)
    const appPassword = { identifier: user.did, password }
    await expect(new AtpAgent({ service: pds.url }).login(appPassword)).rejects.toThrow()
    expect(await askThrough(session, GET_SESSION)).toMatchObject({ body: { active: false } })

    const activated = await askThrough(session, '/xrpc/com.atproto.server.activateAccount', {
      method: 'POST',
    })
    expect(activated.status).toBe(200)
    expect(await askThrough(session, GET_SESSION)).toMatchObject({ body: { active: true } })
    const asked = await askThrough(session, '/xrpc/com.atproto.server.requestAccountDelete', {
      method: 'POST',
    })
    expect(asked.status).toBe(200)
    const token = mail.code(user.agent.session!.email!)
    await user.agent.com.atproto.server.deleteAccount({ did: user.did, password: PASSWORD, token })
    expect(await askThrough(session, GET_SESSION)).toMatchObject(ENDED)
  })

  test.each(['deactivateAccount', 'activateAccount', 'requestAccountDelete'])(
    'and one that may not is refused %s',
    async (method) => {
      const scope = 'atproto transition:generic'
      const session = await signInToApp(loopbackApp(pds, plc.url, scope), pds, await newUser(), { scope })
      const init = method === 'deactivateAccount' ? procedure({}) : { method: 'POST' }
      expect(await askThrough(session, `/xrpc/com.atproto.server.${method}`, init)).toMatchObject({
        status: 403,
        body: { error: 'ScopeMissingError', message: expect.stringContaining('account:status') },
      })
    },
  )
})

describe('signing in with a mailed code', () => {
  test('asks for it after the password, says where it went, and takes it once', async () => {
    const user = await newUser()
    const email = user.agent.session!.email!
    await user.agent.com.atproto.server.requestEmailConfirmation()
    await user.agent.com.atproto.server.confirmEmail({ email, token: mail.code(email) })
    await user.agent.com.atproto.server.updateEmail({ email, emailAuthFactor: true })
    const visitor = new Visitor(pds)
    await visitor.open('/account')
    expect(await visitor.signIn(user.handle, 'wrong')).toMatchObject({ status: 400 })
    expect(await visitor.signIn(user.handle)).toMatchObject({
      status: 401,
      body: { error: 'second_authentication_factor_required', type: 'emailOtp', hint: 'u***@mail.example' },
    })
    const emailOtp = mail.code(email)
    expect(await visitor.signIn(user.handle, PASSWORD, { emailOtp: 'AAAAA-BBBBB' })).toMatchObject({
      status: 400,
      body: { error: 'invalid_request' },
    })
    expect(await visitor.signIn(user.handle, PASSWORD, { emailOtp })).toMatchObject({
      status: 200,
      body: { account: { did: user.did } },
    })
    expect(await visitor.signIn(user.handle, PASSWORD, { emailOtp })).toMatchObject({ status: 400 })
  })
})

describe('on the account pages', () => {
  test('apps and browsers are listed and sent away', async () => {
    const user = await newUser()
    const visitor = new Visitor(pds)
    const session = await signInToApp(loopbackApp(pds, plc.url, SCOPE), pds, user, {
      scope: SCOPE,
      visitor,
    })
    const page = await visitor.open('/account')
    expect(page.status).toBe(200)
    const get = async (endpoint: string) =>
      (await visitor.call(endpoint, { did: user.did }, { method: 'GET' })).body
    const [app] = await get('/oauth-sessions')
    expect(app).toMatchObject({ scope: expect.stringContaining('transition:generic') })
    const [browser] = await get('/account-sessions')
    expect(browser).toMatchObject({ isCurrentDevice: true })
    const other = new Visitor(pds)
    await other.open('/account')
    await other.signIn(user.handle)
    expect(await get('/account-sessions')).toHaveLength(2)

    const revoked = await visitor.call('/revoke-oauth-session', { did: user.did, tokenId: app.tokenId })
    expect(revoked.status).toBe(200)
    expect(await askThrough(session, GET_SESSION)).toMatchObject(ENDED)
    const { deviceId } = (await get('/account-sessions')).find(
      (one: { isCurrentDevice: boolean }) => !one.isCurrentDevice,
    )
    await visitor.call('/revoke-account-session', { did: user.did, deviceId })
    expect((await other.call('/device-sessions', {}, { method: 'GET' })).body).toEqual([])
    await visitor.call('/sign-out', { did: user.did })
    expect((await visitor.call('/device-sessions', {}, { method: 'GET' })).body).toEqual([])
    expect(await visitor.call('/update-handle', { did: user.did, handle: 'else.test' })).toMatchObject({
      status: 401,
    })
  })

  test('address, handle and password are changed, the account deactivated, activated and deleted', async () => {
    const user = await newUser()
    const { did } = user
    const email = user.agent.session!.email!
    const visitor = new Visitor(pds)
    await visitor.open('/account')
    await visitor.signIn(user.handle)
    const call = async (endpoint: string, input: Record<string, unknown> = {}) => {
      const { status, body } = await visitor.call(endpoint, { did, ...input })
      return { status, ...body }
    }

    expect(await call('/verify-email-request')).toMatchObject({ status: 200 })
    expect(await call('/verify-email-confirm', { email, token: 'AAAAA-BBBBB' })).toMatchObject({
      status: 400,
    })
    expect(await call('/verify-email-confirm', { email, token: mail.code(email) })).toMatchObject({
      status: 200,
      account: { emailVerified: true },
    })
    expect(await call('/update-email-request')).toMatchObject({ tokenRequired: true })
    const token = mail.code(email)
    const next = `new-${email}`
    expect(await call('/update-email-confirm', { email: next, token: 'AAAAA-BBBBB' })).toMatchObject({
      status: 400,
    })
    expect(await call('/update-email-confirm', { email: next, token })).toMatchObject({
      status: 200,
      account: { email: next, emailVerified: false },
    })
    expect(mail.code(next)).toMatch(/^.{5}-.{5}$/)

    const taken = (await newUser()).handle
    expect(await call('/update-handle', { handle: taken })).toMatchObject({
      error: 'handle_unavailable',
      reason: 'taken',
    })
    expect(await call('/update-handle', { handle: 'admin.test' })).toMatchObject({ reason: 'reserved' })
    const handle = `renamed${names++}.test`
    expect(await call('/update-handle', { handle })).toMatchObject({ account: { handle } })
    expect((await user.agent.resolveHandle({ handle })).data.did).toBe(did)

    expect(await call('/deactivate-account')).toMatchObject({ account: { deactivated: true } })
    expect(await call('/reactivate-account')).toMatchObject({ account: { deactivated: false } })

    const reset = await visitor.call('/reset-password-request', { locale: 'en', email: next })
    expect(reset.status).toBe(200)
    const password = 'another good password'
    await waitFor(() => expect(mail.last(next).subject).toBe('Password Reset Requested'))
    const resetToken = mail.code(next)
    const confirm = { token: resetToken, password }
    expect((await visitor.call('/reset-password-confirm', confirm)).status).toBe(200)
    expect((await visitor.call('/reset-password-confirm', confirm)).status).toBe(400)
    expect(
      (await visitor.call('/reset-password-request', { locale: 'en', email: 'no@body.example' })).status,
    ).toBe(200)
    await visitor.signIn(handle, password)

    expect(await call('/delete-account-request')).toMatchObject({ status: 200 })
    const end = { token: mail.code(next), password }
    expect(await call('/delete-account-confirm', { ...end, password: PASSWORD })).toMatchObject({
      status: 400,
    })
    expect(await call('/delete-account-confirm', end)).toMatchObject({ status: 200 })
    expect(pds.services.accounts.find(did)).toBeUndefined()
  })
})
