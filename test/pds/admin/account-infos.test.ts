/** What the operator and the moderators see of accounts and change in them. */
import { AtpAgent } from '@atproto/api'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
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

let plc: PlcDirectory
let mail: MailServer
let moderationMail: MailServer
/** Where the moderation service's identity lives. */
let elsewhere: InProcessPds
let moderator: TestUser
let pds: InProcessPds
let user: TestUser & { email: string }
let count = 0

const newUser = async () => {
  const name = `user${++count}`
  return { ...(await createUser(pds, name)), email: `${name}@mail.example` }
}

beforeAll(async () => {
  plc = await startPlc()
  mail = await startMailServer()
  moderationMail = await startMailServer()
  elsewhere = await startPds({ plcUrl: plc.url })
  moderator = await createUser(elsewhere, 'arbiter')
  pds = await startPds({
    plcUrl: plc.url,
    env: {
      PDS_EMAIL_SMTP_URL: mail.url,
      PDS_EMAIL_FROM_ADDRESS: 'noreply@pds.example',
      PDS_MODERATION_EMAIL_SMTP_URL: moderationMail.url,
      PDS_MODERATION_EMAIL_ADDRESS: 'mod@pds.example',
      PDS_MOD_SERVICE_URL: 'https://mod.example',
      PDS_MOD_SERVICE_DID: moderator.did,
    },
  })
  user = await newUser()
})
afterAll(async () => {
  await pds?.[Symbol.asyncDispose]()
  await elsewhere?.[Symbol.asyncDispose]()
  await moderationMail?.[Symbol.asyncDispose]()
  await mail?.[Symbol.asyncDispose]()
  await plc?.[Symbol.asyncDispose]()
})

const basic = (password: string, name = 'admin') =>
  `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}`
const as = (authorization: string | undefined) => {
  const agent = new AtpAgent({ service: pds.url })
  if (authorization !== undefined) agent.setHeader('authorization', authorization)
  return agent.com.atproto
}
const operator = () => as(basic(secrets.PDS_ADMIN_PASSWORD))
const tokenOf = async ({ agent }: TestUser, lxm: string, aud = 'did:web:localhost') =>
  `Bearer ${(await agent.com.atproto.server.getServiceAuth({ aud, lxm })).data.token}`

describe('an account', () => {
  test('is described, whoever it is', async () => {
    const { data } = await operator().admin.getAccountInfo({ did: user.did })
    expect(data).toEqual({
      did: user.did,
      handle: user.handle,
      email: user.email,
      indexedAt: expect.stringMatching(/^\d{4}-.*Z$/),
      invites: [],
      invitesDisabled: false,
    })
    await user.agent.com.atproto.server.requestEmailConfirmation()
    await user.agent.com.atproto.server.confirmEmail({ email: user.email, token: mail.code(user.email) })
    expect((await operator().admin.getAccountInfo({ did: user.did })).data.emailConfirmedAt).toMatch(/Z$/)
    expect(await rejection(operator().admin.getAccountInfo({ did: 'did:web:nobody.example' }))).toMatchObject(
      {
        status: 400,
        error: 'NotFound',
      },
    )
  })

  test('is described among others, those that are not here left out', async () => {
    const other = await newUser()
    const dids = [other.did, 'did:web:nobody.example', user.did, other.did]
    const { infos } = (await operator().admin.getAccountInfos({ dids })).data
    expect(infos.map(({ did }) => did)).toEqual([other.did, user.did])
  })

  test('is found by a part of its address, in pages', async () => {
    const made: string[] = []
    for (let n = 0; n < 5; n++) {
      const { data } = await new AtpAgent({ service: pds.url }).createAccount({
        handle: `seek${n}.test`,
        email: `seek%_${n}@mail.example`,
        password: PASSWORD,
      })
      made.unshift(data.did)
    }
    const found: string[] = []
    for (let cursor: string | undefined; ; ) {
      const { data } = await operator().admin.searchAccounts({ email: 'SEEK%_', limit: 2, cursor })
      found.push(...data.accounts.map(({ did }) => did))
      cursor = data.cursor
      if (cursor === undefined) break
    }
    expect(found).toEqual(made)
    const search = async (email?: string) => (await operator().admin.searchAccounts({ email })).data.accounts
    expect((await search(user.email)).map(({ did }) => did)).toEqual([user.did])
    expect(await search('k%2')).toEqual([])
    expect((await search()).length).toBeGreaterThan(5)
    expect(await rejection(operator().admin.searchAccounts({ cursor: 'x' }))).toMatchObject({ status: 400 })
  })
})

describe('the operator', () => {
  test('changes an address', async () => {
    const [one, other] = [await newUser(), await newUser()]
    await operator().admin.updateAccountEmail({ account: one.handle, email: 'Changed@mail.example' })
    await operator().admin.updateAccountEmail({ account: one.did, email: 'changed@mail.example' })
    expect((await operator().admin.getAccountInfo({ did: one.did })).data.email).toBe('changed@mail.example')
    const update = (account: string, email: string) =>
      rejection(operator().admin.updateAccountEmail({ account, email }))
    expect(await update('nobody.test', 'a@mail.example')).toMatchObject({
      status: 400,
      error: 'InvalidRequest',
      message: 'Account does not exist: nobody.test',
    })
    expect(await update(one.did, other.email)).toMatchObject({ status: 400, error: 'InvalidRequest' })
  })

  test('changes a password, and ends the sessions', async () => {
    const { agent, did } = await newUser()
    const update = (did: string, password: string) =>
      operator().admin.updateAccountPassword({ did, password })
    expect(await rejection(update(did, 'x'.repeat(257)))).toMatchObject({
      status: 400,
      message: 'Invalid password length.',
    })
    expect(await rejection(update('did:web:nobody.example', 'new password'))).toMatchObject({ status: 400 })
    await update(did, 'new password')
    const login = (password: string) =>
      new AtpAgent({ service: pds.url }).login({ identifier: did, password })
    expect(await rejection(login(PASSWORD))).toMatchObject({ status: 401 })
    await login('new password')
    expect(await rejection(agent.sessionManager.refreshSession())).toMatchObject({ error: 'ExpiredToken' })
  })

  test('changes a handle, to a reserved one too', async () => {
    const { agent, did } = await newUser()
    await expect(agent.updateHandle({ handle: 'support.test' })).rejects.toMatchObject({
      error: 'HandleNotAvailable',
    })
    await operator().admin.updateAccountHandle({ did, handle: 'support.test' })
    expect((await as(undefined).identity.resolveHandle({ handle: 'support.test' })).data.did).toBe(did)
    expect((await as(undefined).repo.describeRepo({ repo: did })).data).toMatchObject({
      handle: 'support.test',
      handleIsCorrect: true,
    })
    const update = (did: string, handle: string) =>
      rejection(operator().admin.updateAccountHandle({ did, handle }))
    expect(await update(did, user.handle)).toMatchObject({ status: 400, error: 'HandleNotAvailable' })
    expect(await update(did, 'a.test')).toMatchObject({ status: 400, error: 'InvalidHandle' })
    expect(await update('did:web:nobody.example', 'nobody.test')).toMatchObject({
      status: 400,
      message: 'Account not found',
    })
  })

  test('writes to an account as the moderators, in HTML and in text', async () => {
    const write = (recipientDid: string, subject?: string) =>
      operator().admin.sendEmail({
        recipientDid,
        senderDid: moderator.did,
        subject,
        content: '<p>Dear “user”,</p><p>please <a href="https://rules.example">read</a>.</p>\n.\n',
      })
    expect((await write(user.did, 'A wórd')).data).toEqual({ sent: true })
    expect(mail.mails.map(({ subject }) => subject)).not.toContain('A wórd')
    expect(moderationMail.last(user.email)).toMatchObject({
      from: 'mod@pds.example',
      subject: 'A wórd',
      html: expect.stringContaining('<a href="https://rules.example">read</a>'),
      text: expect.stringMatching(/Dear “user”,\s+please read \[https:\/\/rules\.example\]\./),
    })
    await write(user.did)
    expect(moderationMail.last(user.email).subject).toBe('Message via your PDS')
    expect(await rejection(write('did:web:nobody.example'))).toMatchObject({
      status: 400,
      message: 'Recipient not found',
    })
  })
})

describe('admin credentials', () => {
  const methods: [
    name: string,
    forModerators: boolean,
    call: (server: ReturnType<typeof as>) => Promise<unknown>,
  ][] = [
    ['getAccountInfo', true, ({ admin }) => admin.getAccountInfo({ did: user.did })],
    ['getAccountInfos', true, ({ admin }) => admin.getAccountInfos({ dids: [user.did] })],
    ['searchAccounts', true, ({ admin }) => admin.searchAccounts({})],
    ['getInviteCodes', true, ({ admin }) => admin.getInviteCodes({})],
    ['disableInviteCodes', true, ({ admin }) => admin.disableInviteCodes({})],
    ['disableAccountInvites', true, ({ admin }) => admin.disableAccountInvites({ account: user.did })],
    ['enableAccountInvites', true, ({ admin }) => admin.enableAccountInvites({ account: user.did })],
    [
      'updateAccountEmail',
      false,
      ({ admin }) => admin.updateAccountEmail({ account: user.did, email: user.email }),
    ],
    [
      'updateAccountHandle',
      false,
      ({ admin }) => admin.updateAccountHandle({ did: user.did, handle: user.handle }),
    ],
    [
      'updateAccountPassword',
      false,
      ({ admin }) => admin.updateAccountPassword({ did: user.did, password: PASSWORD }),
    ],
  ]

  test.each(methods)('to %s', async (name, forModerators, call) => {
    await call(operator())
    const session = `Bearer ${user.agent.session?.accessJwt}`
    for (const who of [undefined, basic('wrong'), basic(secrets.PDS_ADMIN_PASSWORD, 'root')]) {
      expect(await rejection(call(as(who))), who).toMatchObject({
        status: 401,
        error: 'AuthenticationRequired',
      })
    }
    expect(await rejection(call(as(session)))).toMatchObject({ status: 401 })
    const nsid = `com.atproto.admin.${name}`
    const byService = call(as(await tokenOf(moderator, nsid)))
    if (!forModerators) {
      expect(await rejection(byService)).toMatchObject({ status: 401, error: 'AuthenticationRequired' })
      return
    }
    await byService
    const impostor = await createUser(elsewhere, `impostor${++count}`)
    for (const [token, error] of [
      [await tokenOf(impostor, nsid), 'UntrustedIss'],
      [await tokenOf(moderator, nsid, 'did:web:other.example'), 'BadJwtAudience'],
      [await tokenOf(moderator, 'com.atproto.sync.getRepo'), 'BadJwtLexiconMethod'],
    ] as const) {
      expect(await rejection(call(as(token)))).toMatchObject({ status: 401, error })
    }
  })

  test('to sendEmail: the operator, and no session', async () => {
    const mailTo = (server: ReturnType<typeof as>) =>
      server.admin.sendEmail({ recipientDid: user.did, senderDid: user.did, content: 'x' })
    await mailTo(operator())
    for (const who of [undefined, basic('wrong'), `Bearer ${user.agent.session?.accessJwt}`]) {
      expect(await rejection(mailTo(as(who)))).toMatchObject({ status: 401 })
    }
  })
})

test('nobody waits here to sign up', async () => {
  const { agent } = await newUser()
  expect((await agent.com.atproto.temp.checkSignupQueue()).data).toEqual({ activated: true })
  expect(await rejection(as(undefined).temp.checkSignupQueue())).toMatchObject({
    status: 401,
    error: 'AuthMissing',
  })
})

test('moderators’ mails leave by the other mail server where they have none', async () => {
  await using plain = await startPds({
    plcUrl: plc.url,
    env: { PDS_EMAIL_SMTP_URL: mail.url, PDS_EMAIL_FROM_ADDRESS: 'noreply@pds.example' },
  })
  const { did } = await createUser(plain, 'plain')
  const agent = new AtpAgent({ service: plain.url })
  agent.setHeader('authorization', basic(secrets.PDS_ADMIN_PASSWORD))
  await agent.com.atproto.admin.sendEmail({
    recipientDid: did,
    senderDid: did,
    subject: 'Hello',
    content: 'x',
  })
  expect(mail.last('plain@mail.example')).toMatchObject({ subject: 'Hello', from: 'noreply@pds.example' })
})
