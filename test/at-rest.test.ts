/**
 * What lies on the disk: nobody but its owner reads it, and whoever has a copy of it cannot sign
 * in.
 */
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { decodeJwt } from 'jose'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { strangerTo } from './pds/accounts/support.ts'
import { loopbackApp, signInToApp, Visitor } from './support/oauth.ts'
import { createUser, PASSWORD, pdsEnv } from './support/pds.ts'
import { type PlcDirectory, startPlc } from './support/plc.ts'
import { freePort, startProcess, temporaryFolder } from './support/processes.ts'
import { type MailServer, startMailServer } from './support/smtp.ts'

const SCOPE = 'atproto transition:generic'

let plc: PlcDirectory
let mails: MailServer

beforeAll(async () => {
  plc = await startPlc()
  mails = await startMailServer()
})
afterAll(async () => {
  await mails?.[Symbol.asyncDispose]()
  await plc?.[Symbol.asyncDispose]()
})

/** Everything below a folder, itself too. */
const everything = (folder: string): string[] => [
  folder,
  ...readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((name) => path.join(folder, name)),
]

/** What somebody but the owner may do something with. */
const openToOthers = (folder: string): string[] =>
  everything(folder).filter((file) => (statSync(file).mode & 0o077) !== 0)

test('a PDS keeps its files to itself, and in them nothing that signs anybody in', async () => {
  using temporary = temporaryFolder()
  // As an earlier version, or a careless copy, left it.
  const folder = path.join(temporary.path, 'pds')
  mkdirSync(path.join(folder, 'blocks'), { recursive: true })
  chmodSync(folder, 0o755)
  chmodSync(path.join(folder, 'blocks'), 0o755)
  writeFileSync(path.join(folder, 'atoll.sqlite'), '', { mode: 0o644 })
  const port = await freePort()
  const url = `http://localhost:${port}`
  const running = await startProcess({
    file: 'pds/main.ts',
    env: {
      ...pdsEnv(plc.url, folder, port),
      PDS_EMAIL_SMTP_URL: mails.url,
      PDS_EMAIL_FROM_ADDRESS: 'pds@mail.example',
    },
    ready: `${url}/xrpc/_health`,
  })
  await using _stop = running
  const { agent, did, handle } = await createUser({ url }, 'alice')
  await agent.uploadBlob(Buffer.from('bytes'), { encoding: 'text/plain' })
  const first = agent.session?.refreshJwt as string
  await agent.sessionManager.refreshSession()
  await agent.com.atproto.server.requestEmailConfirmation()
  const app = loopbackApp({ url }, plc.url, SCOPE)
  const visitor = new Visitor({ url })
  const session = await signInToApp(app, { url }, { did, handle }, { scope: SCOPE, visitor })
  const used = app.sessions.get(did)?.tokenSet.refresh_token
  await session.getTokenInfo(true)

  expect(openToOthers(folder)).toEqual([])
  const secrets = {
    'the id of a refresh token': decodeJwt(agent.session?.refreshJwt as string).jti,
    'the id of one that was exchanged': decodeJwt(first).jti,
    'a refresh token of OAuth': app.sessions.get(did)?.tokenSet.refresh_token,
    'one that was exchanged': used,
    'the session of a browser': /ses-[0-9a-f]+/.exec(visitor.cookies())?.[0],
    'a mailed code': mails.code('alice@mail.example'),
    'a password': PASSWORD,
  }
  expect(Object.values(secrets).filter((secret) => (secret?.length ?? 0) < 11)).toEqual([])
  await strangerTo({ url }).com.atproto.server.createSession({ identifier: did, password: PASSWORD })
  expect(secretsIn(folder, secrets)).toEqual([])
  await running.stop()
  expect(secretsIn(folder, secrets)).toEqual([])
  expect(openToOthers(folder)).toEqual([])
})

test('a feed generator keeps its files to itself', async () => {
  using temporary = temporaryFolder()
  const folder = path.join(temporary.path, 'feedgen')
  await using running = await startProcess({
    file: 'feedgen/main.ts',
    env: {
      FEEDGEN_PORT: '0',
      FEEDGEN_DATA_DIRECTORY: folder,
      FEEDGEN_SUBSCRIPTION_ENDPOINT: 'http://localhost:9',
      PDS_DID_PLC_URL: plc.url,
    },
    ready: /feed generator at http/,
  })
  expect(openToOthers(folder)).toEqual([])
  expect(await running.stop()).toBe(0)
})

/** The names of those secrets whose text is in some file. */
function secretsIn(folder: string, secrets: Record<string, string | undefined>): string[] {
  const files = everything(folder).filter((file) => statSync(file).isFile())
  const bytes = Buffer.concat(files.map((file) => readFileSync(file)))
  return Object.entries(secrets).flatMap(([name, secret]) =>
    secret !== undefined && bytes.includes(secret) ? name : [],
  )
}
