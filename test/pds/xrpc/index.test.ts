/**
 * What stands around every response: headers that keep strangers' bytes from being run, and telling
 * whose mistake an error is.
 */
import { expect, test, vi } from 'vitest'
import { logger } from '#platform/log.ts'
import { startFeedgen } from '../../feedgen/support.ts'
import { createUser, startPds } from '../../support/pds.ts'
import { chunked, RawConnection } from '../../support/raw-http.ts'
import { withPds } from '../../support/with-pds.ts'

const shared = withPds('edge')

const DEEP = 5_000
const nested = (levels: number) => `${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`

test.each(['com.atproto.server.describeServer', 'com.example.unknown', 'com.atproto.sync.getBlob'])(
  'no response of %s is a page',
  async (method) => {
    const { headers } = await fetch(`${shared.pds.url}/xrpc/${method}`)
    expect(headers.get('x-content-type-options')).toBe('nosniff')
    expect(headers.get('content-security-policy')).toBe("default-src 'none'; sandbox")
  },
)

test('a blob is not run', async () => {
  const bytes = new TextEncoder().encode('alert(1)')
  const { data } = await shared.user.agent.uploadBlob(bytes, { encoding: 'text/javascript' })
  await shared.user.agent
    .post({
      text: 'blob',
      embed: {
        $type: 'app.bsky.embed.external',
        external: { uri: 'https://a.test', title: '', description: '', thumb: data.blob },
      },
    })
    .catch(() => undefined)
  const url = `${shared.pds.url}/xrpc/com.atproto.sync.getBlob?did=${shared.user.did}&cid=${data.blob.ref}`
  const as = async (destination: string) =>
    (await fetch(url, { headers: { 'sec-fetch-dest': destination } })).status
  for (const destination of ['script', 'style', 'worker', 'serviceworker']) {
    expect(await as(destination)).toBe(403)
  }
  for (const destination of ['image', 'empty', 'document']) expect(await as(destination)).not.toBe(403)
})

test('scripts of pages come from the folders of scripts alone', async () => {
  for (const path of ['/account/second-factor', '/account']) {
    const policy = (await fetch(shared.pds.url + path)).headers.get('content-security-policy') ?? ''
    const [scripts = ''] = /script-src [^;]*/.exec(policy) ?? []
    expect(scripts).toContain(`${shared.pds.url}/account/second-factor/scripts/`)
    expect(scripts).not.toContain("'self'")
  }
})

test('a form that cannot be read is the client’s mistake, and stands in no log', async () => {
  const log = logger('pages')
  const [error, info] = [vi.spyOn(log, 'error'), vi.spyOn(log, 'info')]
  const fields = Array.from({ length: 2_000 }, (_, n) => `f${n}=secret`).join('&')
  const { status } = await fetch(`${shared.pds.url}/account/second-factor`, {
    method: 'POST',
    headers: { origin: shared.pds.url, 'content-type': 'application/x-www-form-urlencoded' },
    body: fields,
  })
  expect(status).toBe(413)
  expect(error).not.toHaveBeenCalled()
  expect(info).toHaveBeenCalledOnce()
})

test('a method’s failure is an error in the log only when it is the server’s', async () => {
  const log = logger('xrpc')
  const [error, info] = [vi.spyOn(log, 'error'), vi.spyOn(log, 'info')]
  await fetch(`${shared.pds.url}/xrpc/com.atproto.repo.listRecords?repo=x`)
  expect([error.mock.calls.length, info.mock.calls.length]).toEqual([0, 1])
  vi.spyOn(shared.pds.services.accounts, 'find').mockImplementationOnce(() => {
    throw new Error('a fault')
  })
  const failed = await fetch(`${shared.pds.url}/xrpc/com.atproto.identity.resolveHandle?handle=edge.test`)
  expect(failed.status).toBe(500)
  expect(error.mock.calls.length).toBe(1)
  vi.restoreAllMocks()
})

test('JSON that is nested too deeply is refused before it is looked at, by both services', async () => {
  const post = async (url: string, body: string) => {
    const response = await fetch(url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        authorization: `Bearer ${shared.user.agent.session?.accessJwt}`,
      },
      body,
    })
    return [response.status, await response.json()]
  }
  const refused = (levels: number) => [
    400,
    { error: 'InvalidRequest', message: `The input has more than ${levels} levels` },
  ]
  const record = `{"repo":"${shared.user.did}","collection":"com.example.deep","record":${nested(DEEP)}}`
  expect(await post(`${shared.pds.url}/xrpc/com.atproto.repo.createRecord`, record)).toEqual(refused(1027))
  await using feedgen = await startFeedgen({ endpoints: [], plcUrl: shared.plc.url })
  const preview = `${feedgen.url}/xrpc/social.atoll.feed.preview`
  expect(await post(preview, `{"definition":${nested(DEEP)}}`)).toEqual(refused(128))
  const { headers } = await fetch(feedgen.url)
  expect(headers.get('x-content-type-options')).toBe('nosniff')
  expect(headers.get('content-security-policy')).toMatch(
    /default-src 'none'; style-src 'sha256-.*frame-ancestors 'none'/,
  )
  const { headers: ofMethod } = await fetch(`${feedgen.url}/xrpc/_health`)
  expect(ofMethod.get('content-security-policy')).toBe("default-src 'none'; sandbox")
})

test('a refused body arrives at a client that reads last, and its connection is not left in doubt', async () => {
  await using feedgen = await startFeedgen({ endpoints: [], plcUrl: shared.plc.url })
  const feedgenPort = Number(new URL(feedgen.url).port)
  const bearer = `Authorization: Bearer ${shared.user.agent.session?.accessJwt}\r\n`
  const zeros = new Uint8Array(3 * 1024 * 1024)
  const requests = [
    [
      shared.pds.port,
      '/xrpc/com.atproto.repo.importRepo',
      `${bearer}Content-Type: application/vnd.ipld.car`,
      400,
    ],
    [shared.pds.port, '/xrpc/com.atproto.repo.importRepo', 'Content-Type: application/vnd.ipld.car', 401],
    [shared.pds.port, '/xrpc/com.atproto.repo.uploadBlob', 'Content-Type: video/mp4', 401],
    [shared.pds.port, '/xrpc/com.atproto.repo.uploadBlob', `${bearer}Content-Type: multipart/form-data`, 400],
    [shared.pds.port, '/xrpc/com.atproto.repo.createRecord', `${bearer}Content-Type: application/json`, 413],
    [shared.pds.port, '/xrpc/com.atproto.sync.getBlob', 'Content-Type: text/plain', 400],
    [shared.pds.port, '/account/second-factor', 'Content-Type: application/x-www-form-urlencoded', 403],
    [shared.pds.port, '/nothing/here', 'Content-Type: text/plain', 404],
    [feedgenPort, '/xrpc/social.atoll.feed.preview', 'Content-Type: application/json', 413],
    [feedgenPort, '/xrpc/app.bsky.feed.getFeedSkeleton', 'Content-Type: text/plain', 400],
  ] as const
  for (const [port, path, headers, status] of requests) {
    const head = `POST ${path} HTTP/1.1\r\nHost: a\r\n${headers}\r\n`
    for (const framed of [
      [`${head}Content-Length: ${zeros.length}\r\n\r\n`, zeros],
      [`${head}Transfer-Encoding: chunked\r\n\r\n`, ...chunked(zeros)],
      [`${head}Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n`, ...chunked(zeros)],
    ]) {
      using client = await RawConnection.open(port)
      await client.write(...framed)
      const response = await client.read()
      expect([path, response.status]).toEqual([path, status])
      if (response.head.includes('connection: close')) continue
      await client.write('GET /xrpc/_health HTTP/1.1\r\nHost: a\r\n\r\n')
      expect((await client.read()).status).toBe(200)
    }
  }
})

test('the refusal of a large body names the limit', async () => {
  await using strict = await startPds({ plcUrl: shared.plc.url, env: { PDS_BLOB_UPLOAD_LIMIT: '1000' } })
  const { agent } = await createUser(strict, 'large')
  expect((await agent.com.atproto.server.describeServer()).data.blobUploadLimit).toBe(1_000)
  for (const body of [new Uint8Array(1_001), new Blob([new Uint8Array(1_001)]).stream()]) {
    const response = await fetch(`${strict.url}/xrpc/com.atproto.repo.uploadBlob`, {
      method: 'POST',
      headers: { authorization: `Bearer ${agent.session?.accessJwt}`, 'content-type': 'video/mp4' },
      body,
      duplex: 'half',
    } as RequestInit)
    expect([response.status, await response.json()]).toEqual([
      413,
      { error: 'PayloadTooLarge', message: 'The body is too large: this server takes 1000 bytes at most' },
    ])
  }
})
