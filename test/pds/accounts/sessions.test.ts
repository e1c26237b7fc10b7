/** What ends an account's sessions at once, access tokens included, and what does not. */
import path from 'node:path'
import { AtpAgent } from '@atproto/api'
import type { OAuthSession } from '@atproto/oauth-client-node'
import Sqlite3 from 'better-sqlite3'
import { decodeJwt, SignJWT } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { hashPassword } from '../../../pds/accounts/credentials/passwords.ts'
import { type AppViewStandIn, appViewEnv, startAppView } from '../../support/app-view.ts'
import { askThrough, loopbackApp, procedure, signInToApp, Visitor } from '../../support/oauth.ts'
import {
  createUser,
  type InProcessPds,
  PASSWORD,
  rejection,
  secrets,
  startPds,
  type TestUser,
} from '../../support/pds.ts'
import { type PlcDirectory, startPlc } from '../../support/plc.ts'
import { type MailServer, startMailServer } from '../../support/smtp.ts'
import { bearerOf, createWithDid, movingToken, operatorOf, strangerTo } from './support.ts'

const NEW_PASSWORD = 'another good password'
const SCOPE = 'atproto transition:generic'
const SECURITY = '/account/security'

let plc: PlcDirectory
let mails: MailServer
let services: AppViewStandIn
let pds: InProcessPds
let count = 0

beforeAll(async () => {
  plc = await startPlc()
  mails = await startMailServer()
  services = await startAppView()
  pds = await startPds({
    plcUrl: plc.url,
    env: {
      ...appViewEnv(services),
      PDS_EMAIL_SMTP_URL: mails.url,
      PDS_EMAIL_FROM_ADDRESS: 'pds@mail.example',
      PDS_PASSWORD_LENGTH_MIN: '8',
    },
  })
})
afterAll(async () => {
  await pds?.[Symbol.asyncDispose]()
  await services?.[Symbol.asyncDispose]()
  await mails?.[Symbol.asyncDispose]()
  await plc?.[Symbol.asyncDispose]()
})

const newUser = () => createUser(pds, `ender${++count}`)

/** A token as `@atproto/pds` issues them: it names no generation. */
const adoptedToken = (did: string): Promise<string> =>
  new SignJWT({ scope: 'com.atproto.access' })
    .setProtectedHeader({ typ: 'at+jwt', alg: 'HS256' })
    .setAudience('did:web:localhost')
    .setSubject(did)
    .setIssuedAt()
    .setExpirationTime('1h')
    .sign(Buffer.from(secrets.PDS_JWT_SECRET))

/** Everything that somebody who has taken an account over holds of it. */
async function takeOver(user: TestUser) {
  const { server } = user.agent.com.atproto
  const appPassword = (await server.createAppPassword({ name: 'app', privileged: true })).data.password
  const app = strangerTo(pds)
  await app.login({ identifier: user.did, password: appPassword })
  const visitor = new Visitor(pds)
  const oauth = await signInToApp(loopbackApp(pds, plc.url, SCOPE), pds, user, { scope: SCOPE, visitor })
  const waiting = loopbackApp(pds, plc.url, SCOPE).client
  await visitor.open((await waiting.authorize(pds.url, { scope: SCOPE, prompt: 'consent' })).href)
  const code = await visitor.consent(user.did)
  const tokens = {
    password: user.agent.session!.accessJwt,
    'app password': app.session!.accessJwt,
    'no generation': await adoptedToken(user.did),
  }
  const refreshTokens = [user.agent.session!.refreshJwt, app.session!.refreshJwt]
  const exchange = () => waiting.callback(code)
  return { tokens, refreshTokens, appPassword, oauth, visitor, exchange }
}

const sessionOf = (token: string) => bearerOf(pds, token).server.getSession()
const sessionThrough = (oauth: OAuthSession) => askThrough(oauth, '/xrpc/com.atproto.server.getSession')

/** Proves the password on the security page. @returns the proof that its forms carry */
async function openSecurity(visitor: Visitor, did: string): Promise<string> {
  const { text } = await visitor.submit(SECURITY, { did, password: PASSWORD })
  return /name="proof" value="([^"]+)"/.exec(text)![1]!
}

interface Act {
  readonly name: string
  readonly endsAppPasswords: boolean
  /** The password afterwards. */
  readonly password?: string
  carryOut(user: TestUser, visitor: Visitor): Promise<unknown>
}

const setTakedown = ({ did }: { did: string }, applied: boolean) =>
  operatorOf(pds).admin.updateSubjectStatus({
    subject: { $type: 'com.atproto.admin.defs#repoRef', did },
    takedown: { applied },
  })

const acts: Act[] = [
  {
    name: 'a password reset by a mailed code',
    endsAppPasswords: true,
    password: NEW_PASSWORD,
    carryOut: async ({ agent }) => {
      const { server } = strangerTo(pds).com.atproto
      const email = agent.session!.email!
      await pds.services.passwordChanges.request(email)
      await server.resetPassword({ token: mails.code(email), password: NEW_PASSWORD })
    },
  },
  {
    name: 'a password set by the operator',
    endsAppPasswords: true,
    password: NEW_PASSWORD,
    carryOut: ({ did }) => operatorOf(pds).admin.updateAccountPassword({ did, password: NEW_PASSWORD }),
  },
  {
    name: 'a takedown, after it is lifted',
    endsAppPasswords: false,
    carryOut: async (user) => {
      await setTakedown(user, true)
      await setTakedown(user, false)
    },
  },
  {
    name: 'signing out everywhere',
    endsAppPasswords: false,
    carryOut: async ({ did }, visitor) => {
      const proof = await openSecurity(visitor, did)
      const { status, text } = await visitor.submit(SECURITY, { proof, action: 'end-sessions' })
      expect([status, text]).toEqual([200, expect.stringContaining('Signed out everywhere')])
      // Neither the browser nor the proof is good for anything afterwards.
      expect((await visitor.submit(SECURITY, { proof })).text).toContain('Sign in first')
    },
  },
]

describe.each(acts)('$name', ({ carryOut, endsAppPasswords, password = PASSWORD }) => {
  it('ends every token of every kind at once', async () => {
    const user = await newUser()
    const { tokens, refreshTokens, appPassword, oauth, visitor, exchange } = await takeOver(user)
    for (const token of Object.values(tokens)) expect((await sessionOf(token)).data.did).toBe(user.did)
    expect(await sessionThrough(oauth)).toMatchObject({ status: 200 })

    await carryOut(user, visitor)
    for (const [kind, token] of Object.entries(tokens)) {
      expect(await rejection(sessionOf(token)), kind).toMatchObject({ status: 400, error: 'ExpiredToken' })
    }
    // With it, whoever holds it would stay.
    const { server } = bearerOf(pds, tokens.password)
    expect(await rejection(server.createAppPassword({ name: 'more' }))).toMatchObject({
      error: 'ExpiredToken',
    })
    for (const token of refreshTokens) {
      expect(await rejection(bearerOf(pds, token).server.refreshSession())).toMatchObject({
        error: 'ExpiredToken',
      })
    }
    expect(await sessionThrough(oauth)).toMatchObject({ status: 401, body: { error: 'invalid_token' } })
    await expect(exchange()).rejects.toThrow()
    const withAppPassword = strangerTo(pds).login({ identifier: user.did, password: appPassword })
    if (endsAppPasswords) await expect(withAppPassword).rejects.toMatchObject({ status: 401 })
    else await withAppPassword

    const again = strangerTo(pds)
    await again.login({ identifier: user.did, password })
    expect((await again.com.atproto.server.getSession()).data.did).toBe(user.did)
    const { refreshJwt } = again.session!
    const refreshed = (await bearerOf(pds, refreshJwt).server.refreshSession()).data
    await sessionOf(refreshed.accessJwt)
  })

  it('ends what was under way', async () => {
    const user = await newUser()
    const { accounts, appPasswords, sessions } = pds.services
    const { visitor } = await takeOver(user)
    const before = accounts.find(user.did)!
    const proof = pds.services.passwordProofs.give(before, 'sign-in')
    await carryOut(user, visitor)
    // What was proved was the old password.
    if (endsAppPasswords) expect(pds.services.passwordProofs.find(proof, 'sign-in')).toBeUndefined()
    // The password was checked before it and the session begins after it; the same for an app
    // password.
    expect(await sessions.create(before)).toBeNull()
    await expect(appPasswords.create(before, 'late', false)).rejects.toThrow('ended meanwhile')
    expect(appPasswords.list(before).map(({ name }) => name)).not.toContain('late')
  })
})

describe('sessions', () => {
  it('carry the generation of their account, and one that is no number is refused', async () => {
    const { agent, did } = await newUser()
    expect(decodeJwt(agent.session!.accessJwt)).not.toHaveProperty('gen')
    await operatorOf(pds).admin.updateAccountPassword({ did, password: NEW_PASSWORD })
    const again = strangerTo(pds)
    await again.login({ identifier: did, password: NEW_PASSWORD })
    expect(decodeJwt(again.session!.accessJwt).gen).toBe(2)
    const strange = await new SignJWT({ scope: 'com.atproto.access', gen: '1' })
      .setProtectedHeader({ typ: 'at+jwt', alg: 'HS256' })
      .setAudience('did:web:localhost')
      .setSubject(did)
      .setExpirationTime('1h')
      .sign(Buffer.from(secrets.PDS_JWT_SECRET))
    expect(await rejection(sessionOf(strange))).toMatchObject({ error: 'InvalidToken' })
  })

  it('outlive a deactivation, which the same tokens take back', async () => {
    const user = await newUser()
    const { tokens } = await takeOver(user)
    await user.agent.com.atproto.server.deactivateAccount({})
    for (const token of Object.values(tokens)) await sessionOf(token)
    await bearerOf(pds, tokens['no generation']).server.activateAccount()
    for (const token of Object.values(tokens)) expect((await sessionOf(token)).data.active).toBe(true)
  })

  it('do not open the next account of the same identity', async () => {
    await using elsewhere = await startPds({ plcUrl: plc.url })
    const user = await createUser(elsewhere, `ender${++count}`)
    const enter = async () =>
      createWithDid(pds, user, await movingToken(user.agent, 'did:web:localhost'), {
        email: `ender${++count}@moved.example`,
      })
    const before = (await enter()).session!.accessJwt
    await operatorOf(pds).admin.deleteAccount({ did: user.did })
    expect(await rejection(bearerOf(pds, before).server.listAppPasswords())).toMatchObject({
      error: 'AccountNotFound',
    })
    const after = (await enter()).session!.accessJwt
    for (const token of [before, await adoptedToken(user.did)]) {
      expect(await rejection(sessionOf(token))).toMatchObject({ error: 'ExpiredToken' })
    }
    expect((await sessionOf(after)).data.did).toBe(user.did)
  })
})

describe('an account that is taken down', () => {
  it('signs nothing for other services but a report and its move, whoever asks for it', async () => {
    const user = await newUser()
    await setTakedown(user, true)
    const { accounts, sessions, serviceTokens } = pds.services
    const account = accounts.find(user.did)!
    // A token as good as they come: the signature itself is refused.
    const { accessJwt } = await sessions.issue(account)
    const ask = async (nsid: string, init: RequestInit = {}) => {
      const response = await fetch(`${pds.url}/xrpc/${nsid}`, {
        ...init,
        headers: { ...init.headers, authorization: `Bearer ${accessJwt}` },
      })
      const { error } = (await response.json()) as { error?: string }
      return { status: response.status, error }
    }
    const feed = 'at://did:plc:aaaaaaaaaaaaaaaaaaaaaaaa/app.bsky.feed.generator/a'
    services.answers.set('com.atproto.repo.getRecord', {
      body: { uri: feed, cid: 'x', value: { $type: 'app.bsky.feed.generator', did: services.did } },
    })
    const refused = { status: 401, error: 'AccountTakedown' }
    const other = { 'atproto-proxy': `${services.did}#other` }
    expect(await ask('com.example.method', { headers: other })).toEqual(refused)
    expect(await ask('com.example.method', { method: 'POST', headers: other })).toEqual(refused)
    expect(await ask('app.bsky.unspecced.getConfig')).toEqual(refused)
    expect(await ask('app.bsky.feed.getTimeline')).toEqual(refused)
    expect(await ask(`app.bsky.feed.getFeed?feed=${encodeURIComponent(feed)}`)).toEqual(refused)
    expect(await ask(`app.bsky.actor.getProfile?actor=${user.did}`)).toEqual(refused)
    expect(services.received.filter(({ token }) => token?.iss === user.did)).toEqual([])
    const aud = 'did:web:elsewhere.example'
    for (const method of ['app.bsky.feed.getTimeline', 'com.atproto.repo.uploadBlob', undefined]) {
      await expect(serviceTokens.sign(account, { audience: aud, method })).rejects.toMatchObject({
        code: 'AccountTakedown',
      })
    }
    for (const method of ['com.atproto.server.createAccount', 'com.atproto.moderation.createReport']) {
      expect(decodeJwt(await serviceTokens.sign(account, { audience: aud, method })).lxm).toBe(method)
    }
    const report = {
      reasonType: 'com.atproto.moderation.defs#reasonAppeal',
      subject: { $type: 'com.atproto.admin.defs#repoRef', did: user.did },
    }
    expect(await ask('com.atproto.moderation.createReport', procedure(report))).toMatchObject({ status: 200 })
  })
})

describe('a service token shown here', () => {
  const upload = async (token: string) => {
    const { repo } = bearerOf(pds, token)
    return (await repo.uploadBlob(Buffer.from('a video'), { encoding: 'text/plain' })).success
  }
  const tokenOf = ({ did }: TestUser, seconds: number) =>
    pds.services.serviceTokens.sign(pds.services.accounts.find(did)!, {
      audience: 'did:web:localhost',
      method: 'com.atproto.repo.uploadBlob',
      expiresAt: Math.floor(Date.now() / 1000) + seconds,
    })

  it('lives an hour and a minute at most, and may come again', async () => {
    const user = await newUser()
    const token = await tokenOf(user, 3_650)
    expect([await upload(token), await upload(token)]).toEqual([true, true])
    expect(await rejection(upload(await tokenOf(user, 3_700)))).toMatchObject({
      status: 401,
      error: 'BadJwt',
    })
  })

  it('uploads nothing to an account that is taken down', async () => {
    const user = await newUser()
    const token = await tokenOf(user, 60)
    await setTakedown(user, true)
    expect(await rejection(upload(token))).toMatchObject({ status: 401, error: 'AccountTakedown' })
  })
})

describe('a password', () => {
  const create = (password: string) =>
    strangerTo(pds).com.atproto.server.createAccount({
      handle: `ender${++count}.test`,
      email: `ender${count}@mail.example`,
      password,
    })
  const tooShort = { status: 400, error: 'InvalidPassword' }

  it.each(['', 'seven77'])('that is %j cannot be chosen', async (password) => {
    const user = await newUser()
    const email = user.agent.session!.email!
    await pds.services.passwordChanges.request(email)
    const { server } = strangerTo(pds).com.atproto
    const token = mails.code(email)
    expect(await rejection(create(password))).toMatchObject(tooShort)
    expect(await rejection(server.resetPassword({ token, password }))).toMatchObject(tooShort)
    const { admin } = operatorOf(pds)
    expect(await rejection(admin.updateAccountPassword({ did: user.did, password }))).toMatchObject(tooShort)
    // The code is still good for one that can.
    await server.resetPassword({ token, password: 'eight888' })
  })

  it('that is empty opens nothing, not even where it is the one that is stored', async () => {
    const { did } = await newUser()
    const set = async (password: string) => {
      const hash = await hashPassword(password)
      const db = new Sqlite3(path.join(pds.folder, 'atoll.sqlite'))
      db.prepare('UPDATE account SET password = ? WHERE did = ?').run(hash, did)
      db.close()
    }
    await set('')
    const login = (password: string) =>
      new AtpAgent({ service: pds.url }).login({ identifier: did, password })
    expect(await rejection(login(''))).toMatchObject({ status: 401, error: 'AuthenticationRequired' })
    const { server } = strangerTo(pds).com.atproto
    expect(await rejection(server.deleteAccount({ did, password: '', token: 'AAAAA-AAAAA' }))).toMatchObject({
      status: 401,
    })
    // One that was chosen when less was asked for goes on.
    await set('pw')
    await login('pw')
  })

  it('that is chosen on a page has eight characters, whatever is asked for over XRPC', async () => {
    await using lax = await startPds({ plcUrl: plc.url, env: { PDS_PASSWORD_LENGTH_MIN: '1' } })
    const { did } = await createUser(lax, 'lax')
    await operatorOf(lax).admin.updateAccountPassword({ did, password: 'x' })
    const visitor = new Visitor(lax)
    await visitor.open('/account')
    const signUp = { locale: 'en', handle: 'page.test', email: 'page@mail.example', password: 'seven77' }
    expect(await visitor.call('/sign-up', signUp)).toMatchObject({ status: 400 })
    const reset = { token: 'AAAAA-AAAAA', password: 'seven77' }
    expect(await visitor.call('/reset-password-confirm', reset)).toMatchObject({
      status: 400,
      body: { error_description: expect.stringContaining('password') },
    })
    expect(await visitor.call('/sign-up', { ...signUp, password: 'eight888' })).toMatchObject({ status: 200 })
  })
})
