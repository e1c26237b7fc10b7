/**
 * Bodies of streams: what unpacks to too much, comes too slowly or breaks off ends, and nothing of
 * it is left on the disk.
 */
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { IncomingMessage, request } from 'node:http'
import { Socket } from 'node:net'
import path from 'node:path'
import { PassThrough, Readable } from 'node:stream'
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib'
import Database from 'better-sqlite3'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { carHeader } from '#protocol/car.ts'
import { encode } from '#protocol/cbor.ts'
import { cidForCbor, cidForRaw, cidToBytes, formatCid } from '#protocol/cid.ts'
import { takeEncoding, unpacked } from '../../../pds/xrpc/bodies.ts'
import { carFile, carOf, makeArchive, typicalRecords } from '../../support/archive.ts'
import { createUser, type InProcessPds, post, startPds, type TestUser } from '../../support/pds.ts'
import { type PlcDirectory, startPlc } from '../../support/plc.ts'
import { temporaryFolder } from '../../support/processes.ts'

const IMPORT = 'com.atproto.repo.importRepo'
const UPLOAD = 'com.atproto.repo.uploadBlob'
const CAR_TYPE = 'application/vnd.ipld.car'
const MIB = 1024 * 1024

let plc: PlcDirectory
let pds: InProcessPds
let user: TestUser
beforeAll(async () => {
  plc = await startPlc()
  const env = { PDS_BLOB_UPLOAD_LIMIT: String(64 * MIB), PDS_MAX_REPO_IMPORT_SIZE: String(96 * MIB) }
  pds = await startPds({ plcUrl: plc.url, env })
  user = await createUser(pds, 'sender')
})
afterAll(async () => {
  await pds[Symbol.asyncDispose]()
  await plc[Symbol.asyncDispose]()
})

const send = async (
  method: string,
  type: string,
  body: Uint8Array,
  encoding: string | undefined,
  { url, agent }: { url: string; agent: TestUser['agent'] } = { url: pds.url, agent: user.agent },
) => {
  const response = await fetch(`${url}/xrpc/${method}`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${agent.session?.accessJwt}`,
      'content-type': type,
      ...(encoding !== undefined && { 'content-encoding': encoding }),
    },
    body: new Uint8Array(body),
  })
  const { error, message } = (await response.json().catch(() => ({}))) as { error?: string; message?: string }
  return { status: response.status, error, message }
}

/**
 * Every file in the folders where uploads and imports are received, and those of blobs without an
 * owner's row.
 */
const leftOn = ({ folder }: { folder: string }): string[] =>
  ['imports', 'blocks/tempt'].flatMap((name) => readdirSync(path.join(folder, name)))

/** An archive of one block of zeros, many times over. */
const repeated = (times: number): Buffer => {
  const block = encode({ zeros: Buffer.alloc(MIB) })
  const cid = cidForCbor(block)
  return Buffer.concat([carHeader(cid), ...Array<Buffer>(times).fill(sectionOf(cid, block))])
}
const sectionOf = (cid: ReturnType<typeof cidForCbor>, block: Buffer): Buffer =>
  carFile(cid, [[cid, block]]).subarray(carHeader(cid).length)

describe('a body that is packed', () => {
  const cases = {
    [IMPORT]: [CAR_TYPE, repeated(40)],
    [UPLOAD]: ['image/png', Buffer.alloc(40 * MIB)],
  } as const

  it.each(Object.entries(cases))(
    'for %s, may not unpack to far more than was sent',
    async (method, [type, body]) => {
      const answer = await send(method, type, gzipSync(body), 'gzip')
      expect(answer).toMatchObject({ status: 413, error: 'PayloadTooLarge' })
      expect(answer.message).toContain('50 times')
      expect(leftOn(pds)).toEqual([])
    },
  )

  it.each(Object.entries(cases))('for %s, is packed once', async (method, [type, body]) => {
    const answer = await send(method, type, gzipSync(gzipSync(body)), 'gzip, gzip')
    expect(answer).toMatchObject({ status: 415, error: 'UnsupportedMediaType' })
    expect(leftOn(pds)).toEqual([])
  })

  it.each(['gzip, gzip', 'gzip, br', 'identity, deflate, gzip', 'zstd'])(
    'as %s is refused as JSON too',
    async (encoding) => {
      const record = Buffer.from(
        JSON.stringify({ repo: user.did, collection: 'app.bsky.feed.post', record: post('') }),
      )
      const answer = await send(
        'com.atproto.repo.createRecord',
        'application/json',
        gzipSync(gzipSync(record)),
        encoding,
      )
      expect(answer).toMatchObject({ status: 415 })
    },
  )

  it('counts as what it unpacks to', async () => {
    const large = Buffer.concat([Buffer.alloc(100 * MIB - 8 * MIB), randomBytes(8 * MIB)])
    for (const [method, type] of [
      [UPLOAD, 'image/png'],
      [IMPORT, CAR_TYPE],
    ] as const) {
      const body = method === IMPORT ? importOf(large) : large
      expect(await send(method, type, gzipSync(body, { level: 1 }), 'gzip')).toMatchObject({
        status: 413,
        error: 'PayloadTooLarge',
      })
    }
    expect(leftOn(pds)).toEqual([])
  })

  it('is unpacked as it says', async () => {
    const archive = carOf(makeArchive(user.did, new Map(typicalRecords(200))))
    const packed = {
      gzip: gzipSync(archive),
      'X-GZIP': gzipSync(archive),
      deflate: deflateSync(archive),
      br: brotliCompressSync(archive),
      identity: archive,
    }
    for (const [encoding, body] of Object.entries(packed)) {
      expect(await send(IMPORT, CAR_TYPE, body, encoding)).toMatchObject({ status: 200 })
      expect(await send(UPLOAD, 'image/png', body, encoding)).toMatchObject({ status: 200 })
    }
  })

  it('and is damaged is a mistake of its sender', async () => {
    for (const encoding of ['gzip', 'deflate', 'br']) {
      for (const [method, type] of [
        [UPLOAD, 'image/png'],
        [IMPORT, CAR_TYPE],
      ] as const)
        expect(await send(method, type, Buffer.alloc(1000, 'not packed'), encoding)).toMatchObject({
          status: 400,
          error: 'InvalidRequest',
        })
    }
    const half = gzipSync(randomBytes(1000)).subarray(0, 500)
    expect(await send(UPLOAD, 'image/png', half, 'gzip')).toMatchObject({
      status: 400,
      error: 'InvalidRequest',
    })
    expect(leftOn(pds)).toEqual([])
  })
})

const randomBytes = (size: number): Buffer => {
  const bytes = Buffer.allocUnsafe(size)
  let state = 1
  for (let i = 0; i < size; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    bytes[i] = state >>> 24
  }
  return bytes
}

/** An archive with these bytes in its blocks. */
const importOf = (bytes: Buffer): Buffer => {
  const blocks = Array.from({ length: Math.ceil(bytes.length / MIB) }, (_, i) => {
    const block = encode({ i, bytes: bytes.subarray(i * MIB, (i + 1) * MIB) })
    return [cidForCbor(block), block] as [ReturnType<typeof cidForCbor>, Buffer]
  })
  return carFile(blocks[0]?.[0] ?? null, blocks)
}

describe('a body that breaks off', () => {
  it.each([IMPORT, UPLOAD])('in %s leaves nothing on the disk', async (method) => {
    const archive = carOf(makeArchive(user.did, new Map(typicalRecords(2000))))
    const url = `${pds.url}/xrpc/${method}`
    const headers = {
      authorization: `Bearer ${user.agent.session?.accessJwt}`,
      'content-type': method === IMPORT ? CAR_TYPE : 'image/png',
      'content-length': archive.length,
    }
    const sending = request(url, { method: 'POST', headers })
    const ended = new Promise((resolve) => sending.on('error', resolve))
    sending.write(archive.subarray(0, archive.length / 2))
    if (method === UPLOAD) while (leftOn(pds).length === 0) await new Promise(setImmediate)
    sending.destroy()
    await ended
    while (leftOn(pds).length > 0) await new Promise((resolve) => setTimeout(resolve, 5))
    // The account's next import does not wait for the one that broke off.
    expect(await send(IMPORT, CAR_TYPE, archive, undefined)).toMatchObject({ status: 200 })
  })

  it('with the process leaves nothing after the next start', async () => {
    using folder = temporaryFolder()
    const first = await startPds({ plcUrl: plc.url, folder: folder.path })
    const { did } = await createUser(first, 'crashed')
    await first[Symbol.asyncDispose]()
    const cid = cidForRaw(Buffer.from('half'))
    const blobs = path.join(folder.path, 'blocks', did)
    mkdirSync(blobs)
    writeFileSync(path.join(folder.path, 'imports/1-2.spool'), 'half')
    writeFileSync(path.join(folder.path, 'blocks/tempt/1.upload'), 'half')
    writeFileSync(path.join(blobs, `${formatCid(cid)}.copy`), 'half')
    const db = new Database(path.join(folder.path, 'atoll.sqlite'))
    db.prepare('INSERT INTO loose_blob VALUES (?, ?)').run(did, cidToBytes(cid))
    db.close()
    await using second = await startPds({ plcUrl: plc.url, folder: folder.path })
    await second.services.blobs.sweep()
    const files = readdirSync(folder.path, { recursive: true, encoding: 'utf8' })
    expect(files.filter((name) => /half|spool|upload|copy/.test(name))).toEqual([])
    expect(leftOn(second)).toEqual([])
  })
})

describe('a disk that is almost full', () => {
  it('takes no uploads and imports, and everything else', async () => {
    using folder = temporaryFolder()
    const env = { PDS_DISK_FREE_MIN_BYTES: String(Number.MAX_SAFE_INTEGER) }
    await using full = await startPds({ plcUrl: plc.url, folder: folder.path, env })
    const { agent, did } = await createUser(full, 'crowded')
    const at = { url: full.url, agent }
    const archive = carOf(makeArchive(did, new Map(typicalRecords(20))))
    for (const [method, type, body] of [
      [IMPORT, CAR_TYPE, archive],
      [UPLOAD, 'image/png', Buffer.from('x')],
    ] as const)
      expect(await send(method, type, body, undefined, at)).toMatchObject({
        status: 507,
        error: 'InsufficientStorage',
      })
    await agent.post({ text: 'still possible' })
    await createUser(full, 'newcomer')
    expect(leftOn(full)).toEqual([])
  })
})

describe('a body on its way', () => {
  const chunks = async (body: Readable, bounds = {}) => {
    let bytes = 0
    for await (const chunk of unpacked(body, undefined, MIB, bounds)) bytes += chunk.length
    return bytes
  }

  it('ends when it stays behind the least rate', async () => {
    const body = new PassThrough()
    body.write('a few bytes')
    await expect(chunks(body, { behindMsMax: 20 })).rejects.toMatchObject({
      statusCode: 408,
      error: 'RequestTimeout',
    })
    expect(body.destroyed).toBe(true)
  })

  it('may be slow where its reader is', async () => {
    const body = Readable.from(['one', 'two', 'three'].map((text) => Buffer.from(text)))
    let read = ''
    for await (const chunk of unpacked(body, undefined, MIB, { behindMsMax: 40, bytesPerSecondMin: 1e9 })) {
      await new Promise((resolve) => setTimeout(resolve, 50))
      read += chunk
    }
    expect(read).toBe('onetwothree')
  })

  it('is let go when its reader stops', async () => {
    const body = new PassThrough()
    body.write('a few bytes')
    for await (const _ of unpacked(body, undefined, MIB)) break
    expect(body.destroyed).toBe(true)
  })

  it('says how it is packed once', () => {
    const of = (encoding?: string) => {
      const message = new IncomingMessage(new Socket())
      if (encoding !== undefined) message.headers['content-encoding'] = encoding
      return takeEncoding(message)
    }
    expect(['', ' GZIP ', 'identity', 'identity, br'].map(of)).toEqual([undefined, 'gzip', undefined, 'br'])
    for (const encoding of ['gzip,gzip', 'gzip, br', 'compress', 'constructor'])
      expect(() => of(encoding)).toThrow()
  })
})
