/**
 * Authenticator apps and backup codes, as clients without a browser meet them: on `createSession`.
 */
import { AtpAgent } from '@atproto/api'
import { Secret, TOTP } from 'otpauth'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { hashAppPassword } from '../../../../pds/accounts/credentials/passwords.ts'
import { WRONG_CODES_MAX, WRONG_CODES_MINUTES } from '../../../../pds/accounts/credentials/second-factors.ts'
import { exchangeKeySecret, KEY_SECRET_FILE } from '../../../../pds/repo/keys/key-secret.ts'
import { Store } from '../../../../pds/store/store.ts'
import {
  createUser,
  type InProcessPds,
  PASSWORD,
  rejection,
  secrets,
  startPds,
} from '../../../support/pds.ts'
import { type PlcDirectory, startPlc } from '../../../support/plc.ts'
import { temporaryFolder } from '../../../support/processes.ts'
import { type MailServer, startMailServer } from '../../../support/smtp.ts'
import { waitFor } from '../../../support/waiting.ts'
import { inside, operatorOf } from '../support.ts'

vi.mock(import('../../../../pds/accounts/credentials/passwords.ts'), { spy: true })

const STEP_MS = 30_000

let plc: PlcDirectory
let mails: MailServer
let pds: InProcessPds
let count = 0

const mailEnv = () => ({ PDS_EMAIL_SMTP_URL: mails.url, PDS_EMAIL_FROM_ADDRESS: 'pds@mail.example' })

beforeAll(async () => {
  plc = await startPlc()
  mails = await startMailServer()
  pds = await startPds({ plcUrl: plc.url, env: mailEnv() })
  // The codes are of the moment, and each is taken once: the tests go through time by themselves.
  vi.useFakeTimers({ toFake: ['Date'], now: new Date('2026-06-01T12:00:00Z') })
})
afterAll(async () => {
  vi.useRealTimers()
  await pds?.[Symbol.asyncDispose]()
  await mails?.[Symbol.asyncDispose]()
  await plc?.[Symbol.asyncDispose]()
})

const codeOf = (secret: Buffer, stepsOff = 0): string =>
  new TOTP({ secret: new Secret({ buffer: new Uint8Array(secret).buffer }) }).generate({
    timestamp: Date.now() + stepsOff * STEP_MS,
  })
const nextStep = () => vi.setSystemTime(Date.now() + STEP_MS)

/** An account with an authenticator app. */
async function withAuthenticator(on: InProcessPds = pds) {
  const user = await createUser(on, `factor${++count}`)
  const { secondFactors, accounts } = on.services
  const account = accounts.find(user.did)!
  const { secret } = secondFactors.newAuthenticator(account)
  const backupCodes = (await secondFactors.addAuthenticator(account, secret, codeOf(secret)))!
  nextStep()
  const login = async (authFactorToken?: string, password = PASSWORD) => {
    const agent = new AtpAgent({ service: on.url })
    await agent.login({ identifier: user.handle, password, authFactorToken })
    return agent
  }
  return { ...user, account, secret, backupCodes, login }
}

describe('an authenticator app', () => {
  it('is asked for its code after the password, and each code is taken once', async () => {
    const { secret, login } = await withAuthenticator()
    expect(await rejection(login())).toMatchObject({ status: 401, error: 'AuthFactorTokenRequired' })
    expect(await rejection(login(codeOf(secret), 'wrong password'))).toMatchObject({
      status: 401,
      error: 'AuthenticationRequired',
      message: 'Invalid identifier or password',
    })
    const code = codeOf(secret)
    await login(code)
    expect(await rejection(login(code))).toMatchObject({
      status: 400,
      error: 'InvalidToken',
      message: 'Token is invalid',
    })
    nextStep()
    await login(codeOf(secret))
  })

  it('may be half a minute early or late, and no more', async () => {
    const { secret, login } = await withAuthenticator()
    nextStep()
    await login(codeOf(secret, -1))
    await login(codeOf(secret, 1))
    // The one in between is older than the last.
    expect(await rejection(login(codeOf(secret)))).toMatchObject({ error: 'InvalidToken' })
    expect(await rejection(login(codeOf(secret, 3)))).toMatchObject({ error: 'InvalidToken' })
  })

  it('is set up only by somebody who has a code of it', async () => {
    const user = await createUser(pds, `factor${++count}`)
    const { secondFactors, accounts } = pds.services
    const account = accounts.find(user.did)!
    const { secret, uri } = secondFactors.newAuthenticator(account)
    expect(new URL(uri).searchParams.get('secret')).toBe(
      new Secret({ buffer: new Uint8Array(secret).buffer }).base32,
    )
    const wrong = codeOf(secret, 100)
    expect(await rejection(secondFactors.addAuthenticator(account, secret, wrong))).toMatchObject({
      code: 'InvalidToken',
    })
    expect(secondFactors.areSetUp(account.id)).toBe(false)
    await new AtpAgent({ service: pds.url }).login({ identifier: user.handle, password: PASSWORD })
  })

  it('cannot be guessed at: after some wrong codes none is tried for a while', async () => {
    const { secret, login } = await withAuthenticator()
    for (let n = 0; n < WRONG_CODES_MAX; n++) {
      expect(await rejection(login(codeOf(secret, 50 + n)))).toMatchObject({ error: 'InvalidToken' })
    }
    const right = () => login(codeOf(secret))
    expect(await rejection(right())).toMatchObject({ status: 429, error: 'RateLimitExceeded' })
    vi.setSystemTime(Date.now() + WRONG_CODES_MINUTES * 60_000)
    await right()
  })

  it('is hashed no more often than it may be tried, also when many come at once', async () => {
    const { account } = await withAuthenticator()
    const hashes = vi.mocked(hashAppPassword)
    hashes.mockClear()
    const tries = Array.from({ length: 20 }, (_, n) =>
      rejection<{ code: string }>(pds.services.secondFactors.assertCode(account, `wrong-${n}`)),
    )
    const codes = (await Promise.all(tries)).map(({ code }) => code)
    expect(codes.filter((code) => code === 'InvalidToken')).toHaveLength(WRONG_CODES_MAX)
    expect(hashes).toHaveBeenCalledTimes(WRONG_CODES_MAX)
  })

  it('is not asked of app passwords', async () => {
    const { agent, login } = await withAuthenticator()
    const { data } = await agent.com.atproto.server.createAppPassword({ name: 'an app' })
    await login(undefined, data.password)
  })

  it('comes before the address as a second factor', async () => {
    const { account, secret, login, did } = await withAuthenticator()
    const { emails, accounts } = pds.services
    await emails.sendCode('confirm_email', account)
    await emails.confirm(account, account.email!, mails.code(account.email!))
    await emails.update(accounts.find(did)!, { email: account.email!, authFactor: true })
    const sent = mails.mails.length
    expect(await rejection(login())).toMatchObject({ error: 'AuthFactorTokenRequired' })
    expect(mails.mails).toHaveLength(sent)
    await login(codeOf(secret))
    await pds.services.secondFactors.removeAuthenticator(account)
    expect(await rejection(login())).toMatchObject({ error: 'AuthFactorTokenRequired' })
    await login(mails.code(account.email!))
  })

  it('stays when the password is reset, and goes with the account', async () => {
    const { account, secret, login, did } = await withAuthenticator()
    await pds.services.passwordChanges.set(did, 'another password')
    expect(await rejection(login(undefined, 'another password'))).toMatchObject({
      error: 'AuthFactorTokenRequired',
    })
    await login(codeOf(secret), 'another password')
    const rows = () =>
      inside(pds, (db) =>
        ['authenticator', 'backup_code', 'wrong_code'].map(
          (table) =>
            db.prepare(`SELECT count(*) FROM ${table} WHERE account = ?`).pluck().get(account.id) as number,
        ),
      )
    await rejection(login('000000', 'another password'))
    expect(rows()).toEqual([1, 10, 1])
    await operatorOf(pds).admin.deleteAccount({ did })
    await waitFor(() => expect(rows()).toEqual([0, 0, 0]))
  })

  it('is encrypted at rest, under a secret that can be exchanged', async () => {
    using folder = temporaryFolder()
    const start = () => startPds({ plcUrl: plc.url, folder: folder.path })
    const first = await start()
    const { account, secret, login } = await withAuthenticator(first)
    await login(codeOf(secret))
    const stored = () =>
      inside(first, (db) => db.prepare('SELECT secret FROM authenticator').pluck().get() as Buffer)
    expect(stored().includes(secret)).toBe(false)
    const before = stored()
    await first[Symbol.asyncDispose]()
    const store = new Store({
      path: `${folder.path}/atoll.sqlite`,
      onFatal: (error) => {
        throw error
      },
    })
    await exchangeKeySecret(store, `${folder.path}/${KEY_SECRET_FILE}`)
    store[Symbol.dispose]()
    expect(stored()).not.toEqual(before)
    await using second = await start()
    nextStep()
    await second.services.secondFactors.assertCode(account, codeOf(secret))
  })
})

describe('the operator', () => {
  const remove = (account: string, headers: Record<string, string>) =>
    fetch(`${pds.url}/xrpc/social.atoll.admin.removeSecondFactors`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify({ account }),
    })
  const operator = {
    authorization: `Basic ${Buffer.from(`admin:${secrets.PDS_ADMIN_PASSWORD}`).toString('base64')}`,
  }

  it('removes what somebody lost, and nobody else does', async () => {
    const { agent, did, handle, login } = await withAuthenticator()
    const owner = { authorization: `Bearer ${agent.session!.accessJwt}` }
    expect((await remove(did, {})).status).toBe(401)
    expect((await remove(did, owner)).status).toBe(401)
    expect(await rejection(login())).toMatchObject({ error: 'AuthFactorTokenRequired' })
    expect((await remove('nobody.test', operator)).status).toBe(400)
    expect((await remove(handle, operator)).status).toBe(200)
    await login()
  })
})

describe('a backup code', () => {
  it('is made for accounts that have something it stands in for', async () => {
    const { did } = await createUser(pds, `factor${++count}`)
    const { secondFactors, accounts } = pds.services
    const account = accounts.find(did)!
    await expect(secondFactors.renewBackupCodes(account)).rejects.toThrow('no second factor')
    const { secret } = secondFactors.newAuthenticator(account)
    expect(await secondFactors.addAuthenticator(account, secret, codeOf(secret))).toHaveLength(10)
  })

  it('stands in for the app, once, however it is typed', async () => {
    const { backupCodes, login } = await withAuthenticator()
    expect(new Set(backupCodes).size).toBe(10)
    const [first, second] = backupCodes as [string, string]
    await login(first)
    expect(await rejection(login(first))).toMatchObject({ error: 'InvalidToken' })
    await login(` ${second.toUpperCase().replace('-', ' – ')} `)
  })

  it('is worthless once there are new ones, and when the app is removed', async () => {
    const { account, backupCodes, login } = await withAuthenticator()
    const { secondFactors } = pds.services
    const renewed = await secondFactors.renewBackupCodes(account)
    expect(await rejection(login(backupCodes[0]))).toMatchObject({ error: 'InvalidToken' })
    await login(renewed[0])
    expect(secondFactors.overview(account.id)).toMatchObject({ backupCodes: 9, passkeys: [] })
    await secondFactors.removeAuthenticator(account)
    expect(secondFactors.overview(account.id)).toMatchObject({
      authenticatorSince: undefined,
      backupCodes: 0,
    })
    await login()
  })

  it('of one account is none of another', async () => {
    const [one, other] = [await withAuthenticator(), await withAuthenticator()]
    expect(await rejection(one.login(other.backupCodes[0]))).toMatchObject({ error: 'InvalidToken' })
    await other.login(other.backupCodes[0])
  })
})
