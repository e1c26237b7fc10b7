/**
 * Addresses of accounts, as their owners see them: the codes arrive over SMTP and are typed back
 * in.
 */
import { AtpAgent } from '@atproto/api'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import {
  createUser,
  type InProcessPds,
  PASSWORD,
  rejection,
  startPds,
  type TestUser,
} from '../../support/pds.ts'
import { type PlcDirectory, startPlc } from '../../support/plc.ts'
import { type MailServer, SMTP_USER, startMailServer } from '../../support/smtp.ts'
import { waitFor } from '../../support/waiting.ts'

let plc: PlcDirectory
let mail: MailServer
let pds: InProcessPds

beforeAll(async () => {
  plc = await startPlc()
  mail = await startMailServer()
  pds = await startPds({
    plcUrl: plc.url,
    env: {
      PDS_EMAIL_SMTP_URL: mail.url,
      PDS_EMAIL_FROM_ADDRESS: 'Atoll <noreply@pds.example>',
      PDS_SERVICE_NAME: 'Tom & Ann’s <PDS>',
      PDS_HOME_URL: 'https://home.example',
    },
  })
})
afterAll(async () => {
  await pds?.[Symbol.asyncDispose]()
  await mail?.[Symbol.asyncDispose]()
  await plc?.[Symbol.asyncDispose]()
})
afterEach(() => {
  vi.useRealTimers()
  mail.refusing = false
})

let count = 0
const newUser = async (): Promise<TestUser & { email: string }> => {
  const name = `user${++count}`
  return { ...(await createUser(pds, name)), email: `${name}@mail.example` }
}
const stranger = () => new AtpAgent({ service: pds.url })
const serverOf = ({ agent }: { agent: AtpAgent }) => agent.com.atproto.server
const login = async (identifier: string, password: string, authFactorToken?: string): Promise<AtpAgent> => {
  const agent = stranger()
  await agent.login({ identifier, password, authFactorToken })
  return agent
}
const minutesLater = (minutes: number) =>
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + minutes * 60_000 })

async function confirm(user: TestUser & { email: string }): Promise<void> {
  await serverOf(user).requestEmailConfirmation()
  await serverOf(user).confirmEmail({ email: user.email, token: mail.code(user.email) })
}

describe('an address', () => {
  test('is confirmed with the code that is mailed to it', async () => {
    const user = await newUser()
    await serverOf(user).requestEmailConfirmation()
    const { from, to, user: sender, headers, subject, text, html } = mail.last(user.email)
    expect({ from, to, sender, subject }).toEqual({
      from: 'noreply@pds.example',
      to: [user.email],
      sender: SMTP_USER,
      subject: 'Email Confirmation',
    })
    expect(headers.from).toBe('Atoll <noreply@pds.example>')
    const code = mail.code(user.email)
    expect(text).toContain(user.handle)
    expect(text).toContain(`https://bsky.app/intent/verify-email?code=${code}`)
    expect(text).toContain('Tom & Ann’s <PDS>\nhttps://home.example')
    expect(html).toContain(code)
    expect(html).toContain('Tom &amp; Ann’s &lt;PDS&gt;')

    const wrong = (email: string, token: string) => rejection(serverOf(user).confirmEmail({ email, token }))
    expect(await wrong(user.email, 'AAAAA-AAAAA')).toMatchObject({ status: 400, error: 'InvalidToken' })
    expect(await wrong('other@mail.example', code)).toMatchObject({ status: 400, error: 'InvalidEmail' })
    await serverOf(user).confirmEmail({ email: user.email.toUpperCase(), token: code.toLowerCase() })
    expect((await serverOf(user).getSession()).data).toMatchObject({
      emailConfirmed: true,
      emailAuthFactor: false,
    })
    expect(await wrong(user.email, code), 'a code is used once').toMatchObject({ error: 'InvalidToken' })
  })

  test('is confirmed within fifteen minutes, with the latest code', async () => {
    const user = await newUser()
    await serverOf(user).requestEmailConfirmation()
    const first = mail.code(user.email)
    await serverOf(user).requestEmailConfirmation()
    const second = mail.code(user.email)
    const attempt = (token: string) => serverOf(user).confirmEmail({ email: user.email, token })
    expect(await rejection(attempt(first))).toMatchObject({ status: 400, error: 'InvalidToken' })
    minutesLater(16)
    expect(await rejection(attempt(second))).toMatchObject({ status: 400, error: 'ExpiredToken' })
  })

  test('is changed with no more ado while it is not confirmed', async () => {
    const [user, other] = [await newUser(), await newUser()]
    expect((await serverOf(user).requestEmailUpdate()).data).toEqual({ tokenRequired: false })
    const update = (email: string) => serverOf(user).updateEmail({ email })
    expect(await rejection(update('no address'))).toMatchObject({
      status: 400,
      error: 'InvalidRequest',
      message: 'This email address is not supported, please use a different email.',
    })
    expect(await rejection(update(other.email.toUpperCase()))).toMatchObject({
      status: 400,
      error: 'InvalidRequest',
      message: 'This email address is already in use, please use a different email.',
    })
    await update('Moved@Mail.example')
    expect((await login('moved@mail.example', PASSWORD)).session?.did).toBe(user.did)
    expect(await rejection(login(user.email, PASSWORD))).toMatchObject({ status: 401 })
  })

  test('is changed with a code that goes to the old one, once that is confirmed', async () => {
    const user = await newUser()
    await confirm(user)
    const update = (token?: string) => serverOf(user).updateEmail({ email: `new-${user.email}`, token })
    expect(await rejection(update())).toMatchObject({ status: 400, error: 'TokenRequired' })
    expect((await serverOf(user).requestEmailUpdate()).data).toEqual({ tokenRequired: true })
    expect(mail.last(user.email).subject).toBe('Email Update Requested')
    const token = mail.code(user.email)
    expect(await rejection(update('AAAAA-AAAAA'))).toMatchObject({ status: 400, error: 'InvalidToken' })
    await serverOf(user).requestPasswordReset({ email: user.email })
    await waitFor(() => expect(mail.last(user.email).subject).toBe('Password Reset Requested'))
    const reset = mail.code(user.email)
    await update(token)
    expect((await serverOf(user).getSession()).data).toMatchObject({
      email: `new-${user.email}`,
      emailConfirmed: false,
    })
    expect(
      await rejection(serverOf(user).resetPassword({ token: reset, password: 'other' })),
      'codes that went to the old address are worth nothing',
    ).toMatchObject({ error: 'InvalidToken' })
  })

  test('that the mail server refuses fails the request, and nothing more', async () => {
    const user = await newUser()
    mail.refusing = true
    expect(await rejection(serverOf(user).requestEmailConfirmation())).toMatchObject({
      status: 502,
      error: 'UpstreamFailure',
      message: 'The mail could not be sent. Please try again later.',
    })
    mail.refusing = false
    await confirm(user)
  })
})

describe('a forgotten password', () => {
  test('is replaced with the code that is mailed, and every session ends', async () => {
    const user = await newUser()
    const { refreshJwt } = user.agent.session!
    await stranger().com.atproto.server.requestPasswordReset({ email: user.email.toUpperCase() })
    await waitFor(() =>
      expect(mail.last(user.email)).toMatchObject({
        subject: 'Password Reset Requested',
        text: expect.stringContaining(user.handle),
      }),
    )
    const token = mail.code(user.email)
    const reset = (token: string, password: string) =>
      stranger().com.atproto.server.resetPassword({ token, password })
    expect(await rejection(reset('AAAAA-AAAAA', 'new password'))).toMatchObject({
      status: 400,
      error: 'InvalidToken',
    })
    expect(await rejection(reset(token, 'x'.repeat(257)))).toMatchObject({
      status: 400,
      error: 'InvalidRequest',
      message: 'Invalid password length.',
    })
    const attempts = await Promise.allSettled(
      ['one', 'two'].map((word) => reset(token, `new password ${word}`)),
    )
    expect(attempts.map(({ status }) => status).sort(), 'a code is used once').toEqual([
      'fulfilled',
      'rejected',
    ])
    expect(await rejection(login(user.email, PASSWORD))).toMatchObject({ status: 401 })
    const word = attempts[0]?.status === 'fulfilled' ? 'one' : 'two'
    await login(user.email, `new password ${word}`)
    const headers = { authorization: `Bearer ${refreshJwt}` }
    expect(
      await rejection(stranger().com.atproto.server.refreshSession(undefined, { headers })),
    ).toMatchObject({ status: 400, error: 'ExpiredToken' })
  })

  test('of nobody is answered as everybody’s is, and before a mail that does not leave', async () => {
    const user = await newUser()
    mail.refusing = true
    for (const email of ['nobody@mail.example', user.email]) {
      const answer = await fetch(`${pds.url}/xrpc/com.atproto.server.requestPasswordReset`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ email }),
      })
      expect([answer.status, await answer.text()]).toEqual([200, ''])
    }
    // Somebody who is signed in and asks for a code does hear of it.
    for (const ask of [serverOf(user).requestEmailConfirmation, serverOf(user).requestAccountDelete]) {
      expect(await rejection(ask.call(serverOf(user)))).toMatchObject({ status: 502 })
    }
  })
})

describe('a second factor', () => {
  const enable = (user: TestUser & { email: string }) =>
    serverOf(user).updateEmail({ email: user.email, emailAuthFactor: true })

  test('needs an address that is confirmed', async () => {
    const user = await newUser()
    expect(await rejection(enable(user))).toMatchObject({ status: 400, error: 'InvalidRequest' })
    await confirm(user)
    await enable(user)
    expect((await serverOf(user).getSession()).data).toMatchObject({
      emailConfirmed: true,
      emailAuthFactor: true,
    })
    const moved = { email: `new-${user.email}`, emailAuthFactor: true }
    expect(await rejection(serverOf(user).updateEmail(moved))).toMatchObject({ status: 400 })
  })

  test('is a code that is mailed when the password is right', async () => {
    const user = await newUser()
    await confirm(user)
    await enable(user)
    const before = mail.mails.length
    expect(await rejection(login(user.handle, 'wrong'))).toMatchObject({
      status: 401,
      error: 'AuthenticationRequired',
    })
    expect(mail.mails).toHaveLength(before)
    expect(await rejection(login(user.handle, PASSWORD))).toMatchObject({
      status: 401,
      error: 'AuthFactorTokenRequired',
    })
    expect(mail.last(user.email).subject).toBe('Sign-in Code')
    const code = mail.code(user.email)
    expect(await rejection(login(user.handle, PASSWORD, 'AAAAA-AAAAA'))).toMatchObject({
      status: 400,
      error: 'InvalidToken',
      message: 'Token is invalid',
    })
    expect(await rejection(login(user.handle, 'wrong', code))).toMatchObject({
      error: 'AuthenticationRequired',
    })
    const agent = await login(user.handle, PASSWORD, code)
    expect(agent.session).toMatchObject({ did: user.did, emailAuthFactor: true })
    expect(await rejection(login(user.handle, PASSWORD, code))).toMatchObject({ error: 'InvalidToken' })
  })

  test('is asked of nobody who signs in with an app password', async () => {
    const user = await newUser()
    await confirm(user)
    await enable(user)
    const { data } = await serverOf(user).createAppPassword({ name: 'app' })
    const before = mail.mails.length
    await login(user.handle, data.password)
    expect(mail.mails).toHaveLength(before)
  })

  test('is given up only with a code, and goes with the address', async () => {
    const user = await newUser()
    await confirm(user)
    await enable(user)
    const disable = (token?: string) =>
      serverOf(user).updateEmail({ email: user.email, emailAuthFactor: false, token })
    expect(await rejection(disable())).toMatchObject({ status: 400, error: 'TokenRequired' })
    await serverOf(user).requestEmailUpdate()
    expect(await rejection(disable('AAAAA-AAAAA'))).toMatchObject({ status: 400, error: 'InvalidToken' })
    await disable(mail.code(user.email))
    await login(user.handle, PASSWORD)
    expect((await serverOf(user).getSession()).data).toMatchObject({
      emailConfirmed: true,
      emailAuthFactor: false,
    })
    await enable(user)
    await serverOf(user).requestEmailUpdate()
    await serverOf(user).updateEmail({ email: `new-${user.email}`, token: mail.code(user.email) })
    await login(user.handle, PASSWORD)
  })
})

test('without a mail server the operator reads the code', async () => {
  await using lone = await startPds({ plcUrl: plc.url })
  const { agent } = await createUser(lone, 'reader')
  const printed = vi.spyOn(console, 'warn').mockImplementation(() => {})
  try {
    await agent.com.atproto.server.requestEmailConfirmation()
    const text = printed.mock.calls.flat().join('\n')
    expect(text).toContain('To: reader@mail.example')
    const [token = ''] = /[A-Z2-7]{5}-[A-Z2-7]{5}/.exec(text) ?? []
    await agent.com.atproto.server.confirmEmail({ email: 'reader@mail.example', token })
  } finally {
    printed.mockRestore()
  }
})

test('the link in the confirmation can be left out', async () => {
  await using plain = await startPds({
    plcUrl: plc.url,
    env: {
      PDS_EMAIL_SMTP_URL: mail.url,
      PDS_EMAIL_FROM_ADDRESS: 'noreply@pds.example',
      PDS_EMAIL_DISABLE_CONFIRMATION_LINK: 'true',
    },
  })
  const { agent } = await createUser(plain, 'plain')
  await agent.com.atproto.server.requestEmailConfirmation()
  const { text, html } = mail.last('plain@mail.example')
  expect(text + html).not.toContain('bsky.app')
  expect(text).toContain('localhost PDS')
})
