/**
 * Nothing but `deleteAccount`, with password and mailed code, and the operator ends an account
 * before its delay: every method, with every token.
 */
import { request } from 'undici'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { methodSchema } from '#platform/lexicons.ts'
import { appViewEndpoints, endpoints } from '../../pds/xrpc/index.ts'
import { operatorOf, strangerTo } from '../pds/accounts/support.ts'
import { type AppViewStandIn, appViewEnv, startAppView } from '../support/app-view.ts'
import { askThrough, loopbackApp, procedure, signInToApp } from '../support/oauth.ts'
import { createUser, type InProcessPds, PASSWORD, startPds, type TestUser } from '../support/pds.ts'
import { type PlcDirectory, startPlc } from '../support/plc.ts'
import { type MailServer, startMailServer } from '../support/smtp.ts'

const DAY_MS = 86_400_000
const PAST = '2020-01-01T00:00:00.000Z'
const SCOPE =
  'atproto transition:generic transition:email account:status?action=manage account:repo?action=manage account:email?action=manage'

let plc: PlcDirectory
let mails: MailServer
let services: AppViewStandIn
let pds: InProcessPds

beforeAll(async () => {
  plc = await startPlc()
  mails = await startMailServer()
  services = await startAppView()
  const mail = { PDS_EMAIL_SMTP_URL: mails.url, PDS_EMAIL_FROM_ADDRESS: 'pds@mail.example' }
  pds = await startPds({ plcUrl: plc.url, env: { ...appViewEnv(services), ...mail } })
})
afterAll(async () => {
  await pds?.[Symbol.asyncDispose]()
  await services?.[Symbol.asyncDispose]()
  await mails?.[Symbol.asyncDispose]()
  await plc?.[Symbol.asyncDispose]()
})

/** Sends a request as somebody. */
type Ask = (path: string, init: { method: string; body?: object }) => Promise<number>

const bearer =
  (tokenFor: (nsid: string) => string | Promise<string>): Ask =>
  async (path, { method, body }) => {
    const token = await tokenFor(path.slice('/xrpc/'.length).split('?')[0]!)
    const { statusCode, body: answer } = await request(pds.url + path, {
      method: method as 'GET',
      headers: {
        authorization: `Bearer ${token}`,
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      body: body && JSON.stringify(body),
    })
    await answer.dump()
    return statusCode
  }

const bySession =
  (read: (session: { accessJwt: string; refreshJwt: string }) => string) =>
  async ({ did }: TestUser, password = PASSWORD): Promise<Ask> => {
    const login = { identifier: did, password, allowTakendown: true }
    const { data } = await strangerTo(pds).com.atproto.server.createSession(login)
    return bearer(() => read(data))
  }

const byAppPassword = (privileged: boolean) => async (user: TestUser) => {
  const { data } = await user.agent.com.atproto.server.createAppPassword({ name: 'app', privileged })
  return bySession(({ accessJwt }) => accessJwt)(user, data.password)
}

/** The kinds of token, and what shows one. */
const kinds: Record<string, (user: TestUser) => Promise<Ask>> = {
  access: bySession(({ accessJwt }) => accessJwt),
  refresh: bySession(({ refreshJwt }) => refreshJwt),
  'app password': byAppPassword(false),
  'privileged app password': byAppPassword(true),
  takendown: async (user) => {
    const subject = { $type: 'com.atproto.admin.defs#repoRef', did: user.did } as const
    await operatorOf(pds).admin.updateSubjectStatus({ subject, takedown: { applied: true } })
    return bySession(({ accessJwt }) => accessJwt)(user)
  },
  OAuth: async (user) => {
    const session = await signInToApp(loopbackApp(pds, plc.url, SCOPE), pds, user, { scope: SCOPE })
    return async (path, { method, body }) =>
      (await askThrough(session, path, body === undefined ? { method } : procedure(body))).status
  },
  service: async ({ did }) => {
    const account = pds.services.accounts.find(did)!
    const audience = pds.services.config.serviceDid
    return bearer((method) => pds.services.serviceTokens.sign(account, { audience, method }))
  },
}

/** Everything that any method may be asked for about an account, at once. */
const inputOf = ({ did, handle, agent }: TestUser): Record<string, unknown> => ({
  did,
  repo: did,
  account: did,
  actor: did,
  identifier: did,
  handle,
  email: agent.session!.email,
  deleteAfter: PAST,
  password: PASSWORD,
  token: 'AAAAA-AAAAA',
  name: 'deleteAfter',
  collection: 'com.example.thing',
  rkey: 'self',
  record: { $type: 'com.example.thing', deleteAfter: PAST },
  writes: [],
  preferences: [],
  subject: { $type: 'com.atproto.admin.defs#repoRef', did },
  takedown: { applied: true },
  deactivated: { applied: true },
  operation: {},
})

const methods = [...Object.keys(endpoints), ...Object.keys(appViewEndpoints)]

it.each(Object.entries(kinds))('%s', async (kind, tokenOf) => {
  const user = await createUser(pds, `stays${Object.keys(kinds).indexOf(kind)}`)
  const ask = await tokenOf(user)
  const answered = new Map<string, number>()
  for (const nsid of methods) {
    const isQuery = methodSchema(nsid).type === 'query'
    const input = inputOf(user)
    const query = new URLSearchParams({ did: user.did, repo: user.did, actor: user.did })
    const path = `/xrpc/${nsid}${isQuery ? `?${query}` : ''}`
    answered.set(nsid, await ask(path, isQuery ? { method: 'GET' } : { method: 'POST', body: input }))
    await pds.services.dueAccounts.sweep()
    const account = pds.services.accounts.find(user.did)
    expect(account?.handle, nsid).toBe(user.handle)
    const { endsAt, takedownRef } = account!
    if (endsAt !== null) expect(Date.parse(endsAt), nsid).toBeGreaterThan(Date.now() + 29 * DAY_MS)
    if (kind === 'takendown') expect([endsAt, takedownRef], nsid).toEqual([null, expect.any(String)])
    else expect(takedownRef, nsid).toBeNull()
  }
  // The walk did get through.
  if (kind === 'access' || kind === 'OAuth' || kind === 'takendown') {
    expect(answered.get('com.atproto.server.deactivateAccount')).toBe(200)
  }
})
