/**
 * Addresses, passwords, app passwords and invites on `@atproto/pds` and here: the same requests in
 * the same order, and the answers side by side: status, error, message, the shape of the body, and
 * the mails.
 */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { PASSWORD, secrets, startPds } from '../support/pds.ts'
import { type PlcDirectory, startPlc } from '../support/plc.ts'
import { startReferencePds } from '../support/reference-pds.ts'
import { type MailServer, startMailServer } from '../support/smtp.ts'
import { waitFor } from '../support/waiting.ts'

interface Host {
  readonly url: string
  readonly mail: MailServer
}

/** What came back for each step, by the step's name. */
type Outcomes = Record<string, unknown>

let plc: PlcDirectory
let ours: Outcomes
let reference: Outcomes

const envOf = (mail: MailServer) => ({
  ...secrets,
  PDS_EMAIL_SMTP_URL: mail.url,
  PDS_EMAIL_FROM_ADDRESS: 'noreply@pds.example',
  PDS_INVITE_REQUIRED: 'true',
  PDS_INVITE_INTERVAL: '1',
})

beforeAll(async () => {
  plc = await startPlc()
  const [theirMail, ourMail] = await Promise.all([startMailServer(), startMailServer()])
  await using _theirMail = theirMail
  await using _ourMail = ourMail
  await using theirs = await startReferencePds(plc.url, envOf(theirMail))
  await using own = await startPds({ plcUrl: plc.url, env: envOf(ourMail) })
  reference = await live({ url: theirs.url, mail: theirMail })
  ours = await live({ url: own.url, mail: ourMail })
})
afterAll(() => plc?.[Symbol.asyncDispose]())

/** A life with mail, the same on every host. */
async function live({ url, mail }: Host): Promise<Outcomes> {
  const outcomes: Outcomes = {}
  const call = async (
    step: string,
    method: string,
    { body, query = '', authorization }: CallOptions = {},
  ) => {
    const nsid = `com.atproto.${method}`
    const response = await fetch(`${url}/xrpc/${nsid}${query}`, {
      method: query !== '' || READS.has(method) ? 'GET' : 'POST',
      headers: {
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...(authorization !== undefined && { authorization }),
      },
      body: body && JSON.stringify(body),
    })
    const text = await response.text()
    const answer = text === '' ? undefined : JSON.parse(text)
    outcomes[`${step}: ${method}`] = {
      status: response.status,
      body: shape(answer),
    }
    return answer
  }
  const mailed = (step: string, to: string) => {
    const { subject, to: addressees, from } = mail.last(to)
    outcomes[`${step}: the mail`] = { subject, addressees, from }
    return mail.code(to)
  }
  const admin = `Basic ${Buffer.from(`admin:${secrets.PDS_ADMIN_PASSWORD}`).toString('base64')}`
  const email = 'ada@mail.example'
  const ada = { handle: 'adalovelace.test', email, password: PASSWORD }

  await call('no code', 'server.createAccount', { body: ada })
  await call('a wrong code', 'server.createAccount', {
    body: { ...ada, inviteCode: 'localhost-aaaaa-aaaaa' },
  })
  await call('an empty address', 'server.createAccount', { body: { ...ada, inviteCode: 'x', email: '' } })
  await call('nobody', 'server.createInviteCode', { body: { useCount: 1 } })
  const { code } = await call('the operator', 'server.createInviteCode', {
    authorization: admin,
    body: { useCount: 2 },
  })
  const { did, accessJwt, refreshJwt } = await call('a code', 'server.createAccount', {
    body: { ...ada, inviteCode: code },
  })
  let authorization = `Bearer ${accessJwt}`
  await call('own', 'server.getSession', { authorization })

  await call('nobody', 'server.requestEmailConfirmation')
  await call('own', 'server.requestEmailConfirmation', { authorization })
  const confirmation = mailed('confirmation', email)
  await call('a wrong code', 'server.confirmEmail', { authorization, body: { email, token: 'AAAAA-AAAAA' } })
  await call('another address', 'server.confirmEmail', {
    authorization,
    body: { email: 'b@mail.example', token: confirmation },
  })
  await call('unconfirmed', 'server.requestEmailUpdate', { authorization })
  await call('right', 'server.confirmEmail', {
    authorization,
    body: { email: email.toUpperCase(), token: confirmation },
  })
  await call('again', 'server.confirmEmail', { authorization, body: { email, token: confirmation } })
  await call('confirmed', 'server.requestEmailUpdate', { authorization })
  const update = mailed('update', email)
  await call('no code', 'server.updateEmail', { authorization, body: { email: 'new@mail.example' } })
  await call('a wrong code', 'server.updateEmail', {
    authorization,
    body: { email: 'new@mail.example', token: 'x' },
  })
  await call('no address', 'server.updateEmail', { authorization, body: { email: 'x', token: update } })
  await call('one to be thrown away', 'server.updateEmail', {
    authorization,
    body: { email: 'x@mailinator.com', token: update },
  })
  await call('right', 'server.updateEmail', {
    authorization,
    body: { email: 'New@mail.example', token: update },
  })
  await call('after the change', 'server.getSession', { authorization })

  const app = await call('plain', 'server.createAppPassword', { authorization, body: { name: 'plain' } })
  await call('privileged', 'server.createAppPassword', {
    authorization,
    body: { name: 'more', privileged: true },
  })
  await call('own', 'server.listAppPasswords', { authorization })
  const signIn = (password: string) => ({ body: { identifier: ada.handle, password } })
  const appSession = await call('an app password', 'server.createSession', signIn(app.password))
  const asApp = { authorization: `Bearer ${appSession.accessJwt}` }
  await call('an app', 'server.createAppPassword', { ...asApp, body: { name: 'more' } })
  await call('an app', 'server.requestEmailUpdate', asApp)
  await call('an app', 'server.getAccountInviteCodes', asApp)
  await call('an app', 'server.listAppPasswords', asApp)
  await call('an app', 'temp.checkSignupQueue', asApp)
  const appRefresh = { authorization: `Bearer ${appSession.refreshJwt}` }
  await call('an app', 'server.refreshSession', appRefresh)
  await call('own', 'server.revokeAppPassword', { authorization, body: { name: 'plain' } })
  await call('no such', 'server.revokeAppPassword', { authorization, body: { name: 'plain' } })
  await call('an app no more', 'server.refreshSession', appRefresh)
  await call('a password no more', 'server.createSession', signIn(app.password))
  await call('too long a password', 'server.createSession', signIn('x'.repeat(513)))

  await call('known', 'server.requestPasswordReset', { body: { email: 'NEW@mail.example' } })
  await waitFor(() => expect(mail.last('new@mail.example').subject).toBe('Password Reset Requested'))
  const reset = mailed('reset', 'new@mail.example')
  await call('a wrong code', 'server.resetPassword', {
    body: { token: 'AAAAA-AAAAA', password: 'new password' },
  })
  await call('too long', 'server.resetPassword', { body: { token: reset, password: 'x'.repeat(257) } })
  await call('right', 'server.resetPassword', {
    body: { token: reset.toLowerCase(), password: 'new password' },
  })
  await call('again', 'server.resetPassword', { body: { token: reset, password: 'new password' } })
  await call('after the reset', 'server.refreshSession', { authorization: `Bearer ${refreshJwt}` })
  await call('the old one', 'server.createSession', signIn(PASSWORD))
  const renewed = await call('the new one', 'server.createSession', signIn('new password'))
  authorization = `Bearer ${renewed.accessJwt}`

  await call('own', 'server.getAccountInviteCodes', { authorization })
  await call('again', 'server.getAccountInviteCodes', {
    authorization,
    query: '?createAvailable=false&includeUsed=false',
  })
  await call('many', 'server.createInviteCodes', {
    authorization: admin,
    body: { codeCount: 2, useCount: 3, forAccounts: [did, 'did:web:nobody.example'] },
  })
  await call('all', 'admin.getInviteCodes', { authorization: admin, query: '?sort=usage&limit=1' })
  await call('a wrong order', 'admin.getInviteCodes', { authorization: admin, query: '?sort=name' })
  await call('a wrong cursor', 'admin.getInviteCodes', { authorization: admin, query: '?cursor=x' })
  await call('disabling', 'admin.disableAccountInvites', { authorization: admin, body: { account: did } })
  await call('one', 'admin.getAccountInfo', { authorization: admin, query: `?did=${did}` })
  await call('nobody', 'admin.getAccountInfo', { authorization: admin, query: '?did=did:web:nobody.example' })
  await call('no operator', 'admin.getAccountInfo', { authorization, query: `?did=${did}` })
  await call('several', 'admin.getAccountInfos', {
    authorization: admin,
    query: `?dids=${did}&dids=did:web:nobody.example`,
  })
  await call('enabling', 'admin.enableAccountInvites', { authorization: admin, body: { account: did } })
  await call('codes', 'admin.disableInviteCodes', { authorization: admin, body: { codes: [code] } })
  await call('the operator’s', 'admin.disableInviteCodes', {
    authorization: admin,
    body: { accounts: ['admin'] },
  })
  const ben = { handle: 'benfranklin.test', email: 'ben@mail.example', password: PASSWORD }
  await call('a disabled code', 'server.createAccount', { body: { ...ben, inviteCode: code } })

  await call('nobody', 'admin.updateAccountEmail', {
    authorization: admin,
    body: { account: 'nobody.test', email },
  })
  await call('by handle', 'admin.updateAccountEmail', {
    authorization: admin,
    body: { account: ada.handle, email },
  })
  await call('too long', 'admin.updateAccountPassword', {
    authorization: admin,
    body: { did, password: 'x'.repeat(257) },
  })
  await call('right', 'admin.updateAccountPassword', {
    authorization: admin,
    body: { did, password: PASSWORD },
  })
  await call('reserved', 'admin.updateAccountHandle', {
    authorization: admin,
    body: { did, handle: 'support.test' },
  })
  await call('too short', 'admin.updateAccountHandle', {
    authorization: admin,
    body: { did, handle: 'a.test' },
  })
  await call('nobody', 'admin.updateAccountHandle', {
    authorization: admin,
    body: { did: 'did:web:nobody.example', handle: 'b0b.test' },
  })
  await call('nobody', 'admin.sendEmail', {
    authorization: admin,
    body: { recipientDid: 'did:web:nobody.example', senderDid: did, content: 'x' },
  })
  await call('no operator', 'admin.sendEmail', {
    authorization: 'Basic eDp5',
    body: { recipientDid: did, senderDid: did, content: 'x' },
  })
  return outcomes
}

interface CallOptions {
  readonly body?: object
  readonly query?: string
  readonly authorization?: string
}

const READS = new Set([
  'server.getSession',
  'server.listAppPasswords',
  'server.getAccountInviteCodes',
  'temp.checkSignupQueue',
])

const KINDS: [RegExp, string][] = [
  [/^did:plc:[a-z2-7]{24}$/, '<did>'],
  [/^\d{4}-\d\d-\d\dT[\d:.]+Z$/, '<time>'],
  [/^[\w-]+\.[\w-]+\.[\w-]+$/, '<jwt>'],
  [/^localhost-[a-z2-7]{5}-[a-z2-7]{5}$/, '<invite code>'],
  [/^[a-z2-7]{4}(-[a-z2-7]{4}){3}$/, '<app password>'],
  [/^\d+::localhost-[a-z2-7]{5}-[a-z2-7]{5}$/, '<cursor>'],
]

/** The value with what differs from host to host named by its kind. */
function shape(value: unknown): unknown {
  if (typeof value === 'string') return KINDS.find(([pattern]) => pattern.test(value))?.[1] ?? value
  if (Array.isArray(value)) return value.map(shape)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => !BEYOND_THE_REFERENCE.has(key))
      .map(([key, value]) => [key, shape(value)]),
  )
}

/**
 * `emailAuthFactor`: the reference knows no second factor. `availableUses`: it shows a column of
 * its database in codes that were just made. `didDoc`: it names the host.
 */
const BEYOND_THE_REFERENCE = new Set(['emailAuthFactor', 'availableUses', 'didDoc'])

test('addresses, passwords, app passwords and invites are answered as by @atproto/pds', () => {
  expect(Object.keys(reference).length).toBeGreaterThan(70)
  expect(ours).toEqual(reference)
})
