/** Requests outside XRPC that name no host, or a strange one. */
import { once } from 'node:events'
import { connect } from 'node:net'
import { request } from 'undici'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createUser, type InProcessPds, startPds } from '../support/pds.ts'
import { type PlcDirectory, startPlc } from '../support/plc.ts'

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

/** The answer to a request written by hand. */
async function answerTo(head: string): Promise<string> {
  const socket = connect(pds.port, '127.0.0.1').setEncoding('latin1')
  socket.write(`${head}\r\n\r\n`)
  let answer = ''
  socket.on('data', (text) => {
    answer += text
  })
  await once(socket, 'close')
  return answer
}

/** As a browser says that a person goes to a page. */
const NAVIGATION = { 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document', 'sec-fetch-site': 'none' }

test('the firehose says that it is a WebSocket', async () => {
  const response = await fetch(`${pds.url}/xrpc/com.atproto.sync.subscribeRepos`)
  expect([response.status, response.headers.get('upgrade'), await response.json()]).toEqual([
    426,
    'websocket',
    { error: 'UpgradeRequired', message: 'The firehose is a WebSocket' },
  ])
})

test.each([
  '/',
  '/robots.txt',
  '/account',
  '/account/second-factor',
  '/.well-known/oauth-authorization-server',
  '/oauth/jwks',
])('HEAD of %s is answered as GET, without a body', async (path) => {
  const ask = (method: 'GET' | 'HEAD') => request(pds.url + path, { method, headers: NAVIGATION })
  const [got, head] = [await ask('GET'), await ask('HEAD')]
  expect((await got.body.text()).length + got.statusCode).toBeGreaterThan(200)
  expect([head.statusCode, head.headers['content-type']]).toEqual([
    got.statusCode,
    got.headers['content-type'],
  ])
  expect(head.statusCode).toBeLessThan(400)
  expect(await head.body.text()).toBe('')
})

const DID_PATH = 'GET /.well-known/atproto-did'

test.each([
  ['no host', `${DID_PATH} HTTP/1.0`],
  ['an empty host', `${DID_PATH} HTTP/1.1\r\nHost:\r\nConnection: close`],
  [
    'an empty forwarded host',
    `${DID_PATH} HTTP/1.1\r\nHost: a.test\r\nX-Forwarded-Host: ,x\r\nConnection: close`,
  ],
  ['a port alone', `${DID_PATH} HTTP/1.1\r\nHost: :1\r\nConnection: close`],
  ['an unclosed bracket', `${DID_PATH} HTTP/1.1\r\nHost: [::1\r\nConnection: close`],
])('a request for %s has no account', async (_, head) => {
  expect(await answerTo(head)).toMatch(/^HTTP\/1\.1 404 [\s\S]*User not found$/)
})

test('a handle that is asked for by a host in capitals, with a port, is found', async () => {
  const { did } = await createUser(pds, 'hosted')
  expect(await answerTo(`${DID_PATH} HTTP/1.1\r\nHost: Hosted.TEST:80\r\nConnection: close`)).toContain(did)
})

test('an upgrade elsewhere than the firehose is not found', async () => {
  const head = 'GET /xrpc/com.example.stream HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket'
  expect(await answerTo(head)).toMatch(/^HTTP\/1\.1 404 Not Found\r\n/)
})
