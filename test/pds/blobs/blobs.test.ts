/** Blobs beyond their way into a record: kept on disk and on S3, served in ranges, cleared away. */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import type { BlobRef } from '@atproto/lexicon'
import { AtUri } from '@atproto/syntax'
import Database from 'better-sqlite3'
import { request } from 'undici'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ConfigError } from '#platform/env.ts'
import { cidToBytes, parseCid } from '#protocol/cid.ts'
import { readConfig } from '../../../pds/config.ts'
import { parseRange } from '../../../pds/xrpc/ranges.ts'
import {
  createUser,
  type InProcessPds,
  pdsEnv,
  rejection,
  startPds,
  type TestUser,
} from '../../support/pds.ts'
import { type PlcDirectory, startPlc } from '../../support/plc.ts'
import { temporaryFolder } from '../../support/processes.ts'
import { type S3Server, startS3, startS3rver } from '../../support/s3.ts'

const DAY_MS = 86_400_000
const PNG = Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex')
let blobCount = 0
const image = (bytes = 1000) =>
  Buffer.concat([PNG, Buffer.from(`${++blobCount} `.repeat(bytes)).subarray(0, bytes)])

const upload = async ({ agent }: TestUser, bytes: Uint8Array): Promise<BlobRef> =>
  (await agent.uploadBlob(bytes, { encoding: 'image/png' })).data.blob

const postWith = ({ agent }: TestUser, blob: BlobRef) =>
  agent.post({
    text: 'with an image',
    embed: { $type: 'app.bsky.embed.images', images: [{ alt: '', image: blob }] },
  })

const getBlob = (
  { url }: { url: string },
  { did }: TestUser,
  { ref }: BlobRef,
  headers: Record<string, string> = {},
) => fetch(`${url}/xrpc/com.atproto.sync.getBlob?did=${did}&cid=${ref}`, { headers })

/** Whether records can refer to it. */
const isThere = async (user: TestUser, blob: BlobRef) => {
  try {
    const { uri } = await postWith(user, blob)
    await user.agent.deletePost(uri)
    return true
  } catch (error) {
    expect(error).toMatchObject({ error: 'BlobNotFound' })
    return false
  }
}

function rows(folder: string, query: string, ...values: unknown[]): unknown[] {
  const db = new Database(path.join(folder, 'atoll.sqlite'))
  try {
    const statement = db.prepare(query)
    return statement.reader ? statement.pluck().all(...values) : [statement.run(...values).changes]
  } finally {
    db.close()
  }
}

let plc: PlcDirectory
let s3: S3Server
let s3rver: S3Server
beforeAll(async () => {
  plc = await startPlc()
  ;[s3, s3rver] = await Promise.all([startS3(), startS3rver()])
})
afterAll(async () => {
  await s3[Symbol.asyncDispose]()
  await s3rver[Symbol.asyncDispose]()
  await plc[Symbol.asyncDispose]()
})

describe.each(['disk', 's3', 's3rver'])('blobs on %s', (kind) => {
  /** Undefined: the disk. */
  const bucket = () => (kind === 'disk' ? undefined : kind === 's3' ? s3 : s3rver)
  let pds: InProcessPds
  let user: TestUser
  /** The names of what is kept, each by its owner's DID and its CID. */
  const kept = async (): Promise<string[]> => {
    const keys = await bucket()?.keys()
    if (keys !== undefined) return keys.map((key) => key.replace(/^blobs\/blocks\//, ''))
    const folder = path.join(pds.folder, 'blocks')
    return readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) =>
      statSync(path.join(folder, name)).isFile(),
    )
  }
  const nameOf = ({ ref }: BlobRef) => `${user.did}/${ref}`
  beforeAll(async () => {
    pds = await startPds({ plcUrl: plc.url, env: bucket()?.env('blobs') ?? {} })
    user = await createUser(pds, `painter-on-${kind}`)
  })
  afterAll(() => pds[Symbol.asyncDispose]())

  it('are there from the upload on, and handed out once a record refers to them', async () => {
    const bytes = image(1_900_000)
    const blob = await upload(user, bytes)
    expect(await kept()).toContain(nameOf(blob))
    expect((await getBlob(pds, user, blob)).status).toBe(400)
    await postWith(user, blob)
    const response = await getBlob(pds, user, blob)
    expect(response.headers.get('content-type')).toBe('image/png')
    expect(response.headers.get('accept-ranges')).toBe('bytes')
    expect(Buffer.from(await response.arrayBuffer()).equals(bytes)).toBe(true)
    const temporary = path.join(pds.folder, kind === 'disk' ? 'blocks/tempt' : 'tempt')
    expect(readdirSync(temporary), 'nothing of the upload is left').toEqual([])
  })

  it('are never encoded in ranges, whatever they are of', async () => {
    for (const type of ['text/plain', 'application/octet-stream', 'image/svg+xml', 'application/json']) {
      const bytes = Buffer.from(`${++blobCount} `.repeat(5000))
      const { data } = await user.agent.uploadBlob(bytes, { encoding: type })
      await user.agent.com.atproto.repo.createRecord({
        repo: user.did,
        collection: 'com.example.file',
        validate: false,
        record: { $type: 'com.example.file', file: data.blob },
      })
      const path = `/xrpc/com.atproto.sync.getBlob?did=${user.did}&cid=${data.blob.ref}`
      const { statusCode, headers, body } = await request(pds.url + path, {
        headers: { range: 'bytes=10-4009', 'accept-encoding': 'gzip, br' },
      })
      expect([type, statusCode, headers['content-encoding']]).toEqual([type, 206, undefined])
      expect(headers['content-range']).toBe(`bytes 10-4009/${bytes.length}`)
      expect(Buffer.from(await body.arrayBuffer()).equals(bytes.subarray(10, 4010))).toBe(true)
    }
  })

  it('are handed out in ranges', async () => {
    const bytes = image(5000)
    const blob = await upload(user, bytes)
    await postWith(user, blob)
    const size = bytes.length
    const ask = (range: string, more = {}) => getBlob(pds, user, blob, { range, ...more })
    const cases = [
      ['bytes=0-0', 0, 0],
      ['bytes=100-199', 100, 199],
      ['bytes=4000-', 4000, size - 1],
      ['bytes=-10', size - 10, size - 1],
      ['bytes=5000-999999', 5000, size - 1],
    ] as const
    for (const [range, first, last] of cases) {
      const response = await ask(range)
      expect([range, response.status]).toEqual([range, 206])
      expect(response.headers.get('content-range')).toBe(`bytes ${first}-${last}/${size}`)
      expect(response.headers.get('content-length')).toBe(String(last - first + 1))
      expect(response.headers.get('access-control-expose-headers')).toContain('Content-Range')
      expect(response.headers.get('content-security-policy')).toBe("default-src 'none'; sandbox")
      expect(response.headers.get('x-content-type-options')).toBe('nosniff')
      expect(response.headers.get('content-type')).toBe('image/png')
      expect(Buffer.from(await response.arrayBuffer()).equals(bytes.subarray(first, last + 1))).toBe(true)
    }
    const beyond = await ask(`bytes=${size}-`)
    expect([beyond.status, beyond.headers.get('content-range')]).toEqual([416, `bytes */${size}`])
    for (const more of [{ range: 'lines=1-2' }, { range: 'bytes=1-2,4-5' }, { 'if-range': '"something"' }]) {
      const response = await ask('bytes=1-2', more)
      expect([response.status, (await response.arrayBuffer()).byteLength]).toEqual([200, size])
    }
  })

  it('are cleared away when no record refers to them and some time has passed', async () => {
    const [used, unused, unreferenced, takendown, fresh] = (await Promise.all(
      [1, 2, 3, 4, 5].map(() => upload(user, image())),
    )) as [BlobRef, BlobRef, BlobRef, BlobRef, BlobRef]
    await postWith(user, used)
    const { uri } = await postWith(user, unreferenced)
    await user.agent.deletePost(uri)
    const setTakedown = 'UPDATE blob SET takedownRef = ? WHERE cid = ?'
    rows(pds.folder, setTakedown, 'spam', cidToBytes(parseCid(takendown.ref.toString())))

    await pds.services.blobs.sweep()
    for (const blob of [used, unused, unreferenced, takendown, fresh]) {
      expect(await kept()).toContain(nameOf(blob))
    }
    const setTime = 'UPDATE blob SET createdAt = ? WHERE cid = ?'
    rows(
      pds.folder,
      setTime,
      new Date(Date.now() + DAY_MS).toISOString(),
      cidToBytes(parseCid(fresh.ref.toString())),
    )
    await pds.services.blobs.sweep(Date.now() + 1.5 * DAY_MS)
    const names = await kept()
    expect([used, takendown, fresh].filter((blob) => !names.includes(nameOf(blob)))).toEqual([])
    expect([unused, unreferenced].filter((blob) => names.includes(nameOf(blob)))).toEqual([])
    expect(await isThere(user, fresh)).toBe(true)
    expect(await isThere(user, unused)).toBe(false)
    expect((await getBlob(pds, user, used)).status).toBe(200)
    expect(rows(pds.folder, 'SELECT did FROM loose_blob')).toEqual([])
    await expect(rejection(upload(user, PNG).then(() => postWith(user, unused)))).resolves.toMatchObject({
      error: 'BlobNotFound',
    })
  })

  it('are there after an upload that met the clearing away of the same bytes', async () => {
    for (let round = 0; round < 10; round++) {
      const bytes = image()
      const blob = await upload(user, bytes)
      const old = new Date(0).toISOString()
      rows(
        pds.folder,
        'UPDATE blob SET createdAt = ? WHERE cid = ?',
        old,
        cidToBytes(parseCid(blob.ref.toString())),
      )
      await Promise.all([upload(user, bytes), pds.services.blobs.sweep()])
      await postWith(user, blob)
      const response = await getBlob(pds, user, blob)
      expect(Buffer.from(await response.arrayBuffer()).equals(bytes)).toBe(true)
    }
  })

  it('are not served when their bytes are lost', async () => {
    const blob = await upload(user, image())
    await postWith(user, blob)
    const cid = parseCid(blob.ref.toString())
    rows(pds.folder, 'INSERT INTO loose_blob VALUES (?, ?)', user.did, cidToBytes(cid))
    rows(pds.folder, 'DELETE FROM blob WHERE cid = ?', cidToBytes(cid))
    await pds.services.blobs.sweep()
    expect(await kept()).not.toContain(nameOf(blob))
    rows(
      pds.folder,
      "INSERT INTO blob SELECT id, ?, 'image/png', 1000, '', NULL, NULL FROM account WHERE did = ?",
      cidToBytes(cid),
      user.did,
    )
    const response = await getBlob(pds, user, blob)
    expect([response.status, await response.json()]).toMatchObject([400, { message: 'Blob not found' }])
  })
  /** Takes the bytes of a blob away, as a disk does that fails. */
  const lose = async ({ ref }: BlobRef) => {
    await bucket()?.remove('blobs', `blocks/${user.did}/${ref}`)
    if (kind === 'disk') rmSync(path.join(pds.folder, 'blocks', user.did, String(ref)))
  }
  /**
   * How many blobs the account has lost by `checkAccountStatus`, and which by `listMissingBlobs`.
   */
  const missing = async ({ agent }: TestUser, limit = 2) => {
    const cids: string[] = []
    for (let cursor: string | undefined; ; ) {
      const { data } = await agent.com.atproto.repo.listMissingBlobs({ cursor, limit })
      expect(data.blobs.length).toBeLessThanOrEqual(limit)
      cids.push(...data.blobs.map(({ cid }) => cid))
      cursor = data.cursor
      if (cursor === undefined) break
    }
    const { data } = await agent.com.atproto.server.checkAccountStatus()
    return { cids, count: data.expectedBlobs - data.importedBlobs }
  }

  it('are missing when their bytes are gone, until the same bytes are uploaded', async () => {
    const owner = user
    try {
      user = await createUser(pds, `unlucky-on-${kind}`)
      const bytes = Array.from({ length: 5 }, () => image())
      const blobs: BlobRef[] = []
      const posts: string[] = []
      for (const picture of bytes) {
        const blob = await upload(user, picture)
        blobs.push(blob)
        posts.push((await postWith(user, blob)).uri)
      }
      expect(await missing(user)).toEqual({ cids: [], count: 0 })
      const [first, second, third, takendown] = blobs as [BlobRef, BlobRef, BlobRef, BlobRef]
      for (const blob of [first, second, third, takendown]) await lose(blob)
      const setTakedown = 'UPDATE blob SET takedownRef = ? WHERE cid = ?'
      const taken = cidToBytes(parseCid(takendown.ref.toString()))
      rows(pds.folder, setTakedown, 'spam', taken)
      const lost = [first, second, third].map(({ ref }) => ref.toString()).sort()
      expect(await missing(user)).toEqual({ cids: lost, count: 3 })
      expect(await missing(user, 500), 'again').toEqual({ cids: lost, count: 3 })

      // A record that refers to one can be edited.
      const { rkey } = new AtUri(posts[0]!)
      const { data } = await user.agent.com.atproto.repo.getRecord({
        repo: user.did,
        collection: 'app.bsky.feed.post',
        rkey,
      })
      await user.agent.com.atproto.repo.putRecord({
        repo: user.did,
        collection: 'app.bsky.feed.post',
        rkey,
        record: { ...data.value, langs: ['en'] },
      })

      await user.agent.deletePost(posts[1]!)
      expect(await rejection(postWith(user, second))).toMatchObject({ error: 'BlobNotFound' })

      await upload(user, bytes[0]!)
      expect(await missing(user)).toEqual({ cids: [third.ref.toString()], count: 1 })
      const served = await getBlob(pds, user, first)
      expect(Buffer.from(await served.arrayBuffer()).equals(bytes[0]!)).toBe(true)
      await postWith(user, first)
      expect(rows(pds.folder, 'SELECT takedownRef FROM blob WHERE cid = ?', taken)).toEqual(['spam'])
      const again = await rejection(upload(user, bytes[3]!))
      expect(again).toMatchObject({ message: 'Blob has been takendown, cannot re-upload' })
    } finally {
      user = owner
    }
  })

  it('are missing once somebody asked for bytes that are gone, and are back with the file', async () => {
    const owner = user
    try {
      user = await createUser(pds, `asked-on-${kind}`)
      const count = async () => {
        const { data } = await user.agent.com.atproto.server.checkAccountStatus()
        return data.expectedBlobs - data.importedBlobs
      }
      const blob = await upload(user, image())
      await postWith(user, blob)
      const file = path.join(pds.folder, 'blocks', user.did, blob.ref.toString())
      const bytes = kind === 'disk' ? readFileSync(file) : undefined
      await lose(blob)
      expect(await count()).toBe(0)
      expect((await getBlob(pds, user, blob)).status).toBe(400)
      expect(await count()).toBe(1)
      if (bytes === undefined) return
      writeFileSync(file, bytes.subarray(1))
      expect((await getBlob(pds, user, blob)).status, 'half of it').toBe(400)
      writeFileSync(file, bytes)
      expect((await getBlob(pds, user, blob)).status).toBe(200)
      expect(await count()).toBe(0)
    } finally {
      user = owner
    }
  })
})

it('takes no blob for lost that a bucket does not say is lost', async () => {
  await using pds = await startPds({ plcUrl: plc.url, env: s3.env('silent') })
  const user = await createUser(pds, 'unsure')
  await postWith(user, await upload(user, image()))
  const { data } = await user.agent.com.atproto.repo.listMissingBlobs()
  expect(data.blobs).toEqual([])
  const { data: status } = await user.agent.com.atproto.server.checkAccountStatus()
  expect(status).toMatchObject({ expectedBlobs: 1, importedBlobs: 1 })
})

describe('what an upload that was cut off left behind', () => {
  it('is removed at the next start, and no other file', async () => {
    using folder = temporaryFolder()
    const first = await startPds({ plcUrl: plc.url, folder: folder.path })
    const user = await createUser(first, 'interrupted')
    const blob = await upload(user, image())
    const other = await upload(user, image())
    await first[Symbol.asyncDispose]()
    const place = (ref: unknown) => path.join(folder.path, 'blocks', user.did, String(ref))
    // As a process leaves them that ends between the bytes and the row.
    rows(folder.path, 'DELETE FROM blob WHERE cid = ?', cidToBytes(parseCid(blob.ref.toString())))
    for (const { ref } of [blob, other])
      rows(
        folder.path,
        'INSERT INTO loose_blob VALUES (?, ?)',
        user.did,
        cidToBytes(parseCid(ref.toString())),
      )
    writeFileSync(path.join(folder.path, 'blocks/tempt/half.upload'), 'half')
    writeFileSync(path.join(folder.path, 'blocks/tempt/of-somebody-else'), '')
    await using second = await startPds({ plcUrl: plc.url, folder: folder.path })
    await second.services.blobs.sweep()
    expect([blob, other].map(({ ref }) => existsSync(place(ref)))).toEqual([false, true])
    expect(readdirSync(path.join(folder.path, 'blocks/tempt'))).toEqual(['of-somebody-else'])
    expect(rows(folder.path, 'SELECT did FROM loose_blob')).toEqual([])
  })
})

describe('settings', () => {
  it('receives uploads in PDS_BLOBSTORE_DISK_TMP_LOCATION', async () => {
    using elsewhere = temporaryFolder()
    const env = { PDS_BLOBSTORE_DISK_TMP_LOCATION: path.join(elsewhere.path, 'uploads') }
    await using pds = await startPds({ plcUrl: plc.url, env })
    const user = await createUser(pds, 'elsewhere')
    const bytes = image(100_000)
    const blob = await upload(user, bytes)
    await postWith(user, blob)
    expect(Buffer.from(await (await getBlob(pds, user, blob)).arrayBuffer()).equals(bytes)).toBe(true)
    expect(existsSync(path.join(pds.folder, 'blocks/tempt'))).toBe(false)
    expect(readdirSync(path.join(elsewhere.path, 'uploads'))).toEqual([])
  })

  it.skipIf(!existsSync('/dev/shm'))('receives uploads on another file system', async () => {
    const folder = `/dev/shm/atoll-test-${process.pid}`
    mkdirSync(folder)
    using _ = { [Symbol.dispose]: () => rmSync(folder, { recursive: true }) }
    await using pds = await startPds({ plcUrl: plc.url, env: { PDS_BLOBSTORE_DISK_TMP_LOCATION: folder } })
    const user = await createUser(pds, 'far')
    const bytes = image(100_000)
    const blob = await upload(user, bytes)
    await postWith(user, blob)
    expect(Buffer.from(await (await getBlob(pds, user, blob)).arrayBuffer()).equals(bytes)).toBe(true)
    expect(readdirSync(folder)).toEqual([])
    expect(readdirSync(path.join(pds.folder, 'blocks', user.did))).toEqual([blob.ref.toString()])
  })

  it('a bucket that takes too long makes an upload fail, and nothing else', async () => {
    const env = { ...s3.env('slow'), PDS_BLOBSTORE_S3_UPLOAD_TIMEOUT_MS: '300' }
    await using pds = await startPds({ plcUrl: plc.url, env })
    const user = await createUser(pds, 'waiting')
    await expect(rejection(upload(user, image()))).resolves.toMatchObject({
      status: 504,
      error: 'UpstreamTimeout',
    })
    expect(readdirSync(path.join(pds.folder, 'tempt'))).toEqual([])
    expect(rows(pds.folder, 'SELECT mimeType FROM blob')).toEqual([])
  })

  it('a bucket that fails now and then is retried', async () => {
    await using pds = await startPds({ plcUrl: plc.url, env: s3.env('shaky') })
    const user = await createUser(pds, 'patient')
    const bytes = image()
    const blob = await upload(user, bytes)
    await postWith(user, blob)
    expect(Buffer.from(await (await getBlob(pds, user, blob)).arrayBuffer()).equals(bytes)).toBe(true)
  })

  it('names settings that contradict each other', () => {
    const faultsOf = (env: Record<string, string>) => {
      try {
        readConfig({ ...pdsEnv(plc.url, '/nowhere', 1), PDS_BLOBSTORE_S3_BUCKET: 'blobs', ...env })
        return []
      } catch (error) {
        return (error as ConfigError).faults.map(({ name }) => name)
      }
    }
    expect(faultsOf({})).toEqual([])
    expect(faultsOf({ PDS_BLOBSTORE_DISK_LOCATION: '/blobs' })).toEqual(['PDS_BLOBSTORE_S3_BUCKET'])
    expect(faultsOf({ PDS_BLOBSTORE_S3_ACCESS_KEY_ID: 'a' })).toEqual(['PDS_BLOBSTORE_S3_SECRET_ACCESS_KEY'])
    expect(faultsOf({ PDS_BLOBSTORE_S3_SECRET_ACCESS_KEY: 'a' })).toEqual(['PDS_BLOBSTORE_S3_ACCESS_KEY_ID'])
    expect(faultsOf({ PDS_BLOBSTORE_S3_ENDPOINT: 'nowhere' })).toEqual(['PDS_BLOBSTORE_S3_ENDPOINT'])
  })
})

describe('an upload with a service token', () => {
  it('is the one of the account that made the token, for this method and this host only', async () => {
    await using pds = await startPds({ plcUrl: plc.url })
    const user = await createUser(pds, 'remote')
    const send = async (aud: string, lxm: string) => {
      const { data } = await user.agent.com.atproto.server.getServiceAuth({ aud, lxm })
      const response = await fetch(`${pds.url}/xrpc/com.atproto.repo.uploadBlob`, {
        method: 'POST',
        headers: { authorization: `Bearer ${data.token}`, 'content-type': 'image/png' },
        body: new Uint8Array(bytes),
      })
      return { status: response.status, ...((await response.json()) as object) }
    }
    const bytes = image()
    const { serviceDid } = pds.services.config
    const answer = await send(serviceDid, 'com.atproto.repo.uploadBlob')
    expect(answer).toMatchObject({ status: 200, blob: { mimeType: 'image/png', size: bytes.length } })
    const blob = await upload(user, bytes)
    expect((answer as unknown as { blob: { ref: { $link: string } } }).blob.ref.$link).toBe(String(blob.ref))
    expect(await send(serviceDid, 'com.atproto.repo.createRecord')).toMatchObject({
      status: 401,
      error: 'BadJwtLexiconMethod',
    })
    expect(await send('did:web:other.test', 'com.atproto.repo.uploadBlob')).toMatchObject({
      status: 401,
      error: 'BadJwtAudience',
    })
  })
})

describe('listReposByCollection', () => {
  it('lists the active accounts that have records of the collection, page by page', async () => {
    await using pds = await startPds({ plcUrl: plc.url })
    const dids: string[] = []
    for (const name of ['one', 'two', 'three', 'four', 'five', 'six']) {
      const { agent, did } = await createUser(pds, `${name}-lister`)
      if (name !== 'two') dids.push(did)
      const collection = name === 'two' ? 'com.example.other' : 'com.example.thing'
      await agent.com.atproto.repo.createRecord({ repo: did, collection, record: { name } })
      if (name === 'three') {
        await agent.com.atproto.server.deactivateAccount({})
        dids.pop()
      }
    }
    const list = async (collection: string, limit: number) => {
      const pages: string[][] = []
      for (let cursor = ''; ; ) {
        const query = new URLSearchParams({ collection, limit: String(limit), cursor })
        const response = await fetch(`${pds.url}/xrpc/com.atproto.sync.listReposByCollection?${query}`)
        const page = (await response.json()) as { cursor?: string; repos: { did: string }[] }
        pages.push(page.repos.map(({ did }) => did))
        if (page.cursor === undefined) return pages
        cursor = page.cursor
      }
    }
    expect(await list('com.example.thing', 100)).toEqual([dids])
    expect(await list('com.example.thing', 3)).toEqual([dids.slice(0, 3), dids.slice(3)])
    expect(await list('com.example.nothing', 3)).toEqual([[]])
    const bad = await fetch(
      `${pds.url}/xrpc/com.atproto.sync.listReposByCollection?collection=a.b.c&cursor=x`,
    )
    expect(bad.status).toBe(400)
  })
})

it.each([
  [undefined, 10, undefined],
  ['', 10, undefined],
  ['bytes=', 10, undefined],
  ['bytes=-', 10, undefined],
  ['bytes=a-b', 10, undefined],
  ['bytes=5-4', 10, undefined],
  ['bytes=0-1,3-4', 10, undefined],
  ['bytes=-0', 10, null],
  ['bytes=-5', 0, null],
  ['bytes=0-', 0, null],
  ['bytes=10-10', 10, null],
  ['bytes=9-10', 10, { first: 9, last: 9 }],
  ['bytes=-99', 10, { first: 0, last: 9 }],
])('the range %s of %i bytes', (header, size, range) => {
  expect(parseRange(header, size)).toEqual(range)
})
