/**
 * What people do whose server stands behind a proxy that takes requests whole: videos, refusals,
 * and whoever comes next.
 */
import { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { request } from 'undici'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type BufferingProxy, startBufferingProxy } from '../support/buffering-proxy.ts'
import { createUser, type InProcessPds, post, startPds, type TestUser } from '../support/pds.ts'
import { type PlcDirectory, startPlc } from '../support/plc.ts'

const UPLOAD = 'com.atproto.repo.uploadBlob'
const VIDEO_BYTES = 100_000_000
const PIECE_BYTES = 1_000_000
/** The beginning of an MP4 file. */
const MP4 = Buffer.from('000000206674797069736f6d0000020069736f6d69736f32617663316d703431', 'hex')

let plc: PlcDirectory
let pds: InProcessPds
let proxy: BufferingProxy
let user: TestUser
beforeAll(async () => {
  plc = await startPlc()
  pds = await startPds({ plcUrl: plc.url })
  proxy = await startBufferingProxy(pds.port)
  user = await createUser(pds, 'filmmaker')
})
afterAll(async () => {
  await proxy?.[Symbol.asyncDispose]()
  await pds?.[Symbol.asyncDispose]()
  await plc?.[Symbol.asyncDispose]()
})

const filling = Buffer.alloc(PIECE_BYTES, 'not the same in two places: 0123456789')

/**
 * A piece of the video, which is never whole in memory: each begins with its number, and the first
 * as an MP4 file does.
 */
function piece(n: number): Buffer {
  const bytes = Buffer.from(filling)
  bytes.writeUInt32BE(n, MP4.length)
  if (n === 0) MP4.copy(bytes)
  return bytes
}

function* pieces(bytes: number): Generator<Buffer> {
  for (let at = 0; at < bytes; at += PIECE_BYTES)
    yield piece(at / PIECE_BYTES).subarray(0, Math.min(PIECE_BYTES, bytes - at))
}

/** As the video service sends a video, with a token that its owner made for it. */
async function upload(bytes: number, token?: string) {
  const response = await request(`${proxy.url}/xrpc/${UPLOAD}`, {
    method: 'POST',
    headers: {
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      'content-type': 'video/mp4',
      'content-length': String(bytes),
    },
    body: Readable.from(pieces(bytes)),
  })
  // biome-ignore lint/suspicious/noExplicitAny: a blob or an error
  return { status: response.statusCode, body: (await response.body.json()) as any }
}

const serviceToken = async () => {
  const aud = pds.services.config.serviceDid
  return (await user.agent.com.atproto.server.getServiceAuth({ aud, lxm: UPLOAD })).data.token
}

test('a video of 100 MB goes up with the video service’s token, is referred to and served in ranges', async () => {
  const { status, body } = await upload(VIDEO_BYTES, await serviceToken())
  expect([status, body.blob?.mimeType, body.blob?.size]).toEqual([200, 'video/mp4', VIDEO_BYTES])
  await user.agent.com.atproto.repo.createRecord({
    repo: user.did,
    collection: 'app.bsky.feed.post',
    record: post('a film', { embed: { $type: 'app.bsky.embed.video', video: body.blob } }),
  })
  const path = `/xrpc/com.atproto.sync.getBlob?did=${user.did}&cid=${body.blob.ref.$link}`
  for (const [range, n, from, to] of [
    ['bytes=0-65535', 0, 0, 65_535],
    ['bytes=77000000-77099999', 77, 0, 99_999],
    ['bytes=-1000', 99, PIECE_BYTES - 1000, PIECE_BYTES - 1],
  ] as const) {
    const part = await request(proxy.url + path, { headers: { range, 'accept-encoding': 'gzip' } })
    const { 'content-range': contentRange, 'content-encoding': encoding, 'content-type': type } = part.headers
    const first = n * PIECE_BYTES
    expect([part.statusCode, contentRange, encoding, type]).toEqual([
      206,
      `bytes ${first + from}-${first + to}/${VIDEO_BYTES}`,
      undefined,
      'video/mp4',
    ])
    const expected = piece(n).subarray(from, to + 1)
    expect(Buffer.from(await part.body.arrayBuffer()).equals(expected)).toBe(true)
  }
})

test('a refusal arrives through it, and whoever comes next over its connection is answered', async () => {
  const health = async () => {
    const late = sleep(60_000, undefined, { ref: false }).then(() => 'no answer')
    return Promise.race([late, request(`${proxy.url}/xrpc/_health`).then(({ statusCode }) => statusCode)])
  }
  const bytesMax = pds.services.config.blobs.bytesMax
  expect((await upload(bytesMax + 1, await serviceToken())).body.message).toContain(String(bytesMax))
  expect(await health()).toBe(200)
  expect((await upload(20 * PIECE_BYTES)).status).toBe(401)
  expect(await health()).toBe(200)
  const { statusCode } = await request(`${proxy.url}/xrpc/com.atproto.repo.importRepo`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${user.agent.session?.accessJwt}`,
      'content-type': 'application/vnd.ipld.car',
    },
    body: Buffer.alloc(PIECE_BYTES),
  })
  expect(statusCode).toBe(400)
  expect(await health()).toBe(200)
})
