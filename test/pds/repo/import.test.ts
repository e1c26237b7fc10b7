import { verifyRepoCar } from '@atproto/repo'
import Database from 'better-sqlite3'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { logger } from '#platform/log.ts'
import { readCar } from '#protocol/car.ts'
import { encode } from '#protocol/cbor.ts'
import { type Cid, cidForCbor, cidForRaw, formatCid } from '#protocol/cid.ts'
import { decodeCommit, signCommit, verifyCommit } from '#protocol/commit.ts'
import type { SyncEvent } from '#protocol/frame.ts'
import { formatDidKey, generateKey, parseVerificationMethod } from '#protocol/keys.ts'
import { encodeNode } from '#protocol/mst/node.ts'
import { RECORD_DEPTH_MAX } from '#protocol/record.ts'
import { microsOfTid, tidFromMicros } from '#protocol/tid.ts'
import { SwapMismatchError } from '../../../pds/repo/errors.ts'
import { Imports } from '../../../pds/repo/import.ts'
import {
  type Archive,
  carFile,
  carOf,
  imageBytes,
  makeArchive,
  typicalRecords,
} from '../../support/archive.ts'
import { createUser, type InProcessPds, post, rejection, startPds, type TestUser } from '../../support/pds.ts'
import { type PlcDirectory, startPlc } from '../../support/plc.ts'
import { seededRandom } from '../../support/random.ts'
import { Subscriber } from '../../support/subscriber.ts'
import { create, openRepos, testFolder } from './support.ts'

let plc: PlcDirectory
let pds: InProcessPds
beforeAll(async () => {
  plc = await startPlc()
  pds = await startPds({ plcUrl: plc.url })
})
afterAll(async () => {
  await pds[Symbol.asyncDispose]()
  await plc[Symbol.asyncDispose]()
})

const importRepo = ({ agent }: TestUser, car: Uint8Array) =>
  agent.com.atproto.repo.importRepo(car, { encoding: 'application/vnd.ipld.car' })

const getRepo = async (did: string, url = pds.url) => {
  const response = await fetch(`${url}/xrpc/com.atproto.sync.getRepo?did=${did}`)
  return Buffer.from(await response.arrayBuffer())
}

/** What a repository's CAR file holds, as the reference's library sees it. */
async function pathsIn(car: Buffer, user: TestUser, key: string): Promise<Map<string, string>> {
  const { creates } = await verifyRepoCar(car, user.did, key)
  return new Map(creates.map(({ collection, rkey, cid }) => [`${collection}/${rkey}`, String(cid)]))
}

async function signingKeyOf({ did }: TestUser): Promise<string> {
  const document = (await (await fetch(`${plc.url}/${did}`)).json()) as {
    verificationMethod: [{ type: string; publicKeyMultibase: string }]
  }
  return formatDidKey(parseVerificationMethod(document.verificationMethod[0]))
}

/** Rows that are nobody's, once clearing has had its time. */
async function leftOver(folder = pds.folder): Promise<number> {
  const db = new Database(`${folder}/atoll.sqlite`, { readonly: true })
  try {
    const count = db
      .prepare(
        'SELECT (SELECT count(*) FROM loose_repo) + count(*) FROM record WHERE repo NOT IN (SELECT id FROM repo)',
      )
      .pluck()
    await expect.poll(() => count.get()).toBe(0)
    return count.get() as number
  } finally {
    db.close()
  }
}

/** The same records under their CIDs, to compare with what a server says. */
const expected = (records: Iterable<[string, Record<string, unknown>]>) =>
  new Map([...records].map(([path, record]) => [path, formatCid(cidForCbor(encode(record)))]))

describe('an imported repository', () => {
  it('takes the place of the one before, under a commit of this host', async () => {
    const user = await createUser(pds, 'mover')
    const { data: old } = await user.agent.com.atproto.repo.createRecord({
      repo: user.did,
      collection: 'app.bsky.feed.post',
      record: post('of before'),
    })
    const records = new Map(typicalRecords(3000))
    const archive = makeArchive(user.did, records, { rev: tidFromMicros((Date.now() + 60_000) * 1000, 1) })
    using subscriber = await Subscriber.connect(pds.url)
    await importRepo(user, carOf(archive))

    const key = await signingKeyOf(user)
    expect(await pathsIn(await getRepo(user.did), user, key)).toEqual(expected(records))
    await expect(rejection(user.agent.com.atproto.repo.getRecord(pathOf(old.uri)))).resolves.toMatchObject({
      error: 'RecordNotFound',
    })
    const { data: head } = await user.agent.com.atproto.sync.getLatestCommit({ did: user.did })
    expect(head.cid).not.toBe(formatCid(archive.commit.cid))
    expect(head.rev > decodeCommit(archive.commit.block).rev).toBe(true)

    await subscriber.until((frames) => frames.length > 0)
    const [event] = subscriber.events as SyncEvent[]
    expect(event).toMatchObject({ kind: 'sync', did: user.did, rev: head.rev })
    const { roots, blocks } = readCar((event as SyncEvent).blocks)
    const commit = decodeCommit(blocks.get(roots[0] as Cid) as Uint8Array)
    expect([commit.data, verifyCommit(commit, key)]).toEqual([archive.data, true])

    // It lives on: a write's commit follows, and the tree is whole.
    await user.agent.post({ text: 'of afterwards' })
    expect((await pathsIn(await getRepo(user.did), user, key)).size).toBe(records.size + 1)
    const page = await user.agent.com.atproto.repo.listRecords({
      repo: user.did,
      collection: 'app.bsky.graph.follow',
      limit: 100,
    })
    expect(page.data.records.every(({ uri }) => records.has(uri.split('/').slice(3).join('/')))).toBe(true)
    expect(page.data.records).toHaveLength(100)
    expect(await leftOver()).toBe(0)
  })

  it('replaces what a like of before pointed at, as a like made here does', async () => {
    const user = await createUser(pds, 'liker')
    const uri = 'at://did:plc:aaaaaaaaaaaaaaaaaaaaaaaa/app.bsky.feed.post/3jzfcijpj2z2a'
    const cid = 'bafyreidfayvfuwqa7qlnopdjiqrxzs6blmoeu4rujcjtnci5beludirz2a'
    const like = {
      $type: 'app.bsky.feed.like',
      subject: { uri, cid },
      createdAt: '2024-01-01T00:00:00.000Z',
    }
    await importRepo(
      user,
      carOf(makeArchive(user.did, new Map([['app.bsky.feed.like/3jzfcijpj2z2a', like]]))),
    )
    await user.agent.like(uri, cid)
    const { data } = await user.agent.com.atproto.repo.listRecords({
      repo: user.did,
      collection: 'app.bsky.feed.like',
    })
    expect(data.records).toHaveLength(1)
    expect(data.records[0]?.uri).not.toContain('3jzfcijpj2z2a')
  })

  it('says which blobs are missing until they are sent', async () => {
    const user = await createUser(pds, 'painter')
    const legacy = { cid: formatCid(cidForRaw(imageBytes(7777))), mimeType: 'image/png' }
    const records = new Map([
      ...typicalRecords(100),
      ['com.example.old/one', { $type: 'com.example.old', picture: legacy }] as const,
    ])
    await importRepo(user, carOf(makeArchive(user.did, records)))
    const missing = async () => {
      const found = new Map<string, string>()
      for (let cursor: string | undefined; ; ) {
        const { data } = await user.agent.com.atproto.repo.listMissingBlobs({ limit: 2, cursor })
        for (const { cid, recordUri } of data.blobs) found.set(cid, recordUri)
        if (data.cursor === undefined) return found
        cursor = data.cursor
      }
    }
    const numbers = [0, 20, 40, 60, 80, 7777]
    const cids = numbers.map((i) => formatCid(cidForRaw(imageBytes(i))))
    const before = await missing()
    expect([...before.keys()].sort()).toEqual(cids.toSorted())
    expect(before.get(legacy.cid)).toBe(`at://${user.did}/com.example.old/one`)
    for (const i of numbers) {
      await user.agent.com.atproto.repo.uploadBlob(imageBytes(i), { encoding: 'image/png' })
    }
    expect((await missing()).size).toBe(0)
    const { data } = await user.agent.com.atproto.sync.getBlob({ did: user.did, cid: cids[1] as string })
    expect(Buffer.from(data)).toEqual(imageBytes(20))
  })

  it('may have its blocks in any order, some of them twice, and some that belong to nothing', async () => {
    const user = await createUser(pds, 'shuffled')
    const records = new Map(typicalRecords(500))
    const archive = makeArchive(user.did, records)
    const stray = encode({ not: 'in the tree' })
    const blocks: [Cid, Buffer][] = [
      ...archive.records,
      ...archive.nodes,
      [archive.commit.cid, archive.commit.block],
      [cidForCbor(stray), stray],
      ...[...archive.records].slice(0, 50),
    ]
    const random = seededRandom(11)
    const shuffled = blocks.map((block) => [random.below(2 ** 30), block] as const).sort(([a], [b]) => a - b)
    await importRepo(
      user,
      carFile(
        archive.commit.cid,
        shuffled.map(([, block]) => block),
      ),
    )
    const key = await signingKeyOf(user)
    expect(await pathsIn(await getRepo(user.did), user, key)).toEqual(expected(records))
  })

  it('may be empty', async () => {
    const user = await createUser(pds, 'nobody')
    await user.agent.post({ text: 'gone in a moment' })
    await importRepo(user, carOf(makeArchive(user.did, new Map())))
    const { data } = await user.agent.com.atproto.repo.describeRepo({ repo: user.did })
    expect(data.collections).toEqual([])
  })

  it('does not follow a revision from the far future', async () => {
    const user = await createUser(pds, 'futurist')
    const rev = tidFromMicros((Date.now() + 86_400_000) * 1000, 1)
    await importRepo(user, carOf(makeArchive(user.did, new Map(), { rev })))
    const { data } = await user.agent.com.atproto.sync.getLatestCommit({ did: user.did })
    expect(Math.abs(microsOfTid(data.rev) / 1000 - Date.now())).toBeLessThan(60_000)
  })
})

/** A record of this many levels. */
const deepRecord = (levels: number) =>
  Buffer.concat([Buffer.from('a16178', 'hex'), Buffer.alloc(levels - 1, 0x81), Buffer.from([0])])

describe('a record that only another host would have taken', () => {
  /**
   * The value of `x` in a record, as bytes; what is read of it; what is put in its place, unless it
   * may stay.
   */
  const strange: Record<string, [cbor: string, json: string, instead?: string]> = {
    'an integer beyond 2^53': ['1b0020000000000001', '9007199254740993', '9007199254740991'],
    'a negative one': ['3b0fffffffffffffff', '-1152921504606846976', '-1'],
    'the largest': ['1bffffffffffffffff', '18446744073709551615', '"18446744073709551615"'],
    'a float': ['fb3ff8000000000000', '1.5', '"1.5"'],
    'a float without a fraction': ['fb4008000000000000', '3'],
    undefined: ['f7', 'null'],
    'keys in another order': ['a2616201616102', '{"b":1,"a":2}'],
    'text that is not UTF-8': ['62c328', '"\ufffd("'],
    'a $link that is none': ['a165246c696e6b6178', '{"$link":"x"}'],
    'bytes that are none': ['a16624627974657305', '{"$bytes":5}'],
    'a blob without anything': ['a165247479706564626c6f62', '{"$type":"blob"}'],
    'a $type that is a number': ['a165247479706505', '{"$type":5}'],
    'an empty $type in a list': ['81a165247479706560', '[{"$type":""}]'],
  }

  it('is imported, read beside others, edited and deleted', async () => {
    const user = await createUser(pds, 'eccentric')
    const collection = 'com.example.strange'
    const block = (value: Buffer) => Buffer.concat([Buffer.from('a16178', 'hex'), value])
    const blocks = new Map<string, Buffer>(
      Object.values(strange).map(([cbor], n) => [`s${n}`, block(Buffer.from(cbor, 'hex'))]),
    )
    blocks.set('deep', deepRecord(RECORD_DEPTH_MAX))
    await importRepo(user, carOf(makeArchive(user.did, new Map(), { blocks: prefixed(collection, blocks) })))

    const page = await (
      await fetch(`${pds.url}/xrpc/com.atproto.repo.listRecords?repo=${user.did}&collection=${collection}`)
    ).text()
    expect(JSON.parse(page).records).toHaveLength(blocks.size)
    const post = async (method: string, body: string) => {
      const response = await fetch(`${pds.url}/xrpc/com.atproto.repo.${method}`, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${user.agent.session?.accessJwt}`,
          'content-type': 'application/json',
        },
        body,
      })
      return response.status
    }
    const get = async (rkey: string) => {
      const query = `repo=${user.did}&collection=${collection}&rkey=${rkey}`
      return (await fetch(`${pds.url}/xrpc/com.atproto.repo.getRecord?${query}`)).text()
    }
    const put = (rkey: string, record: string) =>
      post(
        'putRecord',
        `{"repo":"${user.did}","collection":"${collection}","rkey":"${rkey}","record":${record}}`,
      )
    const update = (rkey: string, record: string) =>
      post(
        'applyWrites',
        `{"repo":"${user.did}","writes":[{"$type":"com.atproto.repo.applyWrites#update","collection":"${collection}","rkey":"${rkey}","value":${record}}]}`,
      )
    for (const [n, [name, [, json, instead = json]]] of Object.entries(strange).entries()) {
      const rkey = `s${n}`
      expect([name, await get(rkey)]).toEqual([name, expect.stringContaining(`"value":{"x":${json}}`)])
      if (instead !== json) expect([name, await put(rkey, `{"x":${json}}`)]).toEqual([name, 400])
      expect([name, await put(rkey, `{"x":${instead},"edited":1}`)]).toEqual([name, 200])
      expect([name, await update(rkey, `{"x":${instead},"edited":2}`)]).toEqual([name, 200])
      expect([name, await get(rkey)]).toEqual([name, expect.stringContaining('"edited":2')])
    }
    const deep = `${'['.repeat(RECORD_DEPTH_MAX - 1)}0${']'.repeat(RECORD_DEPTH_MAX - 1)}`
    expect(await get('deep')).toContain(`"value":{"x":${deep}}`)
    expect(await put('deep', `{"x":${deep},"edited":1}`)).toBe(200)
    expect(await update('deep', `{"x":${deep},"edited":2}`)).toBe(200)
    const del = (rkey: string) =>
      post('deleteRecord', `{"repo":"${user.did}","collection":"${collection}","rkey":"${rkey}"}`)
    for (const rkey of blocks.keys()) expect(await del(rkey)).toBe(200)
    // What is new has none of it, and what was wrong with a record is no leave for another mistake.
    expect(await put('new', '{"x":{"$link":"x"}}')).toBe(400)
    await put('new', '{"x":1}')
    expect(await put('new', '{"x":{"$link":"x"}}')).toBe(400)
  })
})

const prefixed = (collection: string, blocks: Iterable<[string, Buffer]>) =>
  [...blocks].map(([rkey, block]) => [`${collection}/${rkey}`, block] as const)

const pathOf = (uri: string) => {
  const [repo = '', collection = '', rkey = ''] = uri.slice('at://'.length).split('/')
  return { repo, collection, rkey }
}

describe('an archive that is refused', () => {
  let user: TestUser
  let archive: Archive
  const records = new Map(typicalRecords(200))
  beforeAll(async () => {
    user = await createUser(pds, 'unlucky')
    await user.agent.post({ text: 'still here' })
    archive = makeArchive(user.did, records)
  })

  /** A repository of one node, whatever that is. */
  const ofNode = (block: Buffer, more: Iterable<[Cid, Buffer]> = []) => {
    const data = cidForCbor(block)
    const { cid, block: commit } = signCommit(
      { did: user.did, data, rev: tidFromMicros(1_700_000_000_000_000, 1), prev: null },
      generateKey(),
    )
    return carFile(cid, [[cid, commit], [data, block], ...more])
  }
  const ofRecord = (path: string, block: Buffer, cid = cidForCbor(block)) =>
    ofNode(encodeNode({ left: null, entries: [{ key: path, value: cid, right: null }] }), [[cid, block]])
  const without = (blocks: ReadonlyMap<Cid, Buffer>, n: number) => [...blocks].filter((_, i) => i !== n)
  const car = (blocks: Iterable<[Cid, Buffer]>) => carFile(archive.commit.cid, blocks)
  const commitOf = ({ commit }: Archive): [Cid, Buffer] => [commit.cid, commit.block]
  /** On layer 0, as most keys are. */
  const low = 'app.bsky.feed.post/3jzfcijpj2z2a'

  const faults: Record<string, () => Uint8Array> = {
    'no CAR file at all': () => Buffer.from('this is not a CAR file'),
    'a file that is cut off': () => carOf(archive).subarray(0, -10),
    'a damaged block': () => {
      const file = carOf(archive)
      file[file.length - 5] = (file.at(-5) as number) ^ 1
      return file
    },
    'no root': () => carFile(null, [commitOf(archive), ...archive.nodes, ...archive.records]),
    'no commit': () => car([...archive.nodes, ...archive.records]),
    'a root that is no commit': () => carFile(archive.data, [...archive.nodes, ...archive.records]),
    'a missing node': () => car([commitOf(archive), ...without(archive.nodes, 3), ...archive.records]),
    'a missing root node': () =>
      car([commitOf(archive), ...without(archive.nodes, archive.nodes.size - 1), ...archive.records]),
    'a missing record': () => car([commitOf(archive), ...archive.nodes, ...without(archive.records, 150)]),
    "another account's repository": () => carOf(makeArchive('did:plc:aaaaaaaaaaaaaaaaaaaaaaaa', records)),
    'a node that is none': () => ofNode(encode({ e: 1 })),
    'a key on a wrong layer': () => {
      const leaf = encodeNode({ left: null, entries: [{ key: `${low}a`, value: archive.data, right: null }] })
      const cid = cidForCbor(leaf)
      const top = encodeNode({ left: null, entries: [{ key: low, value: archive.data, right: cid }] })
      return ofNode(top, [[cid, leaf]])
    },
    'a record that is no map': () => ofRecord(low, encode(['a list'])),
    'a record that is not DAG-CBOR': () => ofRecord(low, Buffer.from([0xff, 0x00])),
    'a record of raw bytes': () => ofRecord(low, Buffer.from('raw'), cidForRaw(Buffer.from('raw'))),
    'a collection that is no NSID': () => ofRecord('posts/3jzfcijpj2z2a', encode({ text: '' })),
    'a record key that is none': () => ofRecord('app.bsky.feed.post/..', encode({ text: '' })),
  }

  it.each(Object.entries(faults))('%s', async (_, file) => {
    const head = await user.agent.com.atproto.sync.getLatestCommit({ did: user.did })
    await expect(rejection(importRepo(user, file()))).resolves.toMatchObject({
      status: 400,
      error: 'InvalidRequest',
    })
    expect((await user.agent.com.atproto.sync.getLatestCommit({ did: user.did })).data).toEqual(head.data)
    const { data } = await user.agent.com.atproto.repo.describeRepo({ repo: user.did })
    expect(data.collections).toEqual(['app.bsky.feed.post'])
    expect(await leftOver()).toBe(0)
  })

  it('names the record that nobody can read, and what is wrong with it', async () => {
    const why = async (path: string, block: Buffer, cid?: Cid) =>
      (await rejection(importRepo(user, ofRecord(path, block, cid)))).message
    const prefix = `Could not parse record at '${low}': `
    expect(await why(low, deepRecord(RECORD_DEPTH_MAX + 1))).toBe(`${prefix}nested deeper than 1024`)
    expect(await why(low, deepRecord(20_000))).toBe(`${prefix}nested deeper than 1024`)
    expect(await why(low, Buffer.from('a1616100ff', 'hex'))).toBe(`${prefix}1 bytes follow the value`)
    expect(await why(low, Buffer.from('a16161c100', 'hex'))).toBe(`${prefix}a tag other than 42`)
    expect(await why(low, encode(['a list']))).toBe(`${prefix}not a map`)
    expect(await why(low, Buffer.from('raw'), cidForRaw(Buffer.from('raw')))).toBe(`${prefix}not DAG-CBOR`)
    expect(await why('app.bsky.feed.post/..', encode({}))).toContain('not a record key')
    expect(await why('posts/3jzfcijpj2z2a', encode({}))).toBe('Not a collection: posts')
  })

  it('is taken when nothing is wrong with it', async () => {
    await importRepo(user, carOf(archive))
  })
})

describe('who may import', () => {
  it('nobody where imports are not accepted, nothing larger than the limit, nobody without a session', async () => {
    await using closed = await startPds({ plcUrl: plc.url, env: { PDS_ACCEPTING_REPO_IMPORTS: 'false' } })
    const refused = await createUser(closed, 'refused')
    const { did } = refused
    await expect(rejection(importRepo(refused, carOf(makeArchive(did, new Map()))))).resolves.toMatchObject({
      status: 400,
      message: 'Service is not accepting repo imports',
    })

    await using small = await startPds({ plcUrl: plc.url, env: { PDS_MAX_REPO_IMPORT_SIZE: '10000' } })
    const large = await createUser(small, 'large')
    const archive = (count: number) => carOf(makeArchive(large.did, new Map(typicalRecords(count))))
    await expect(rejection(importRepo(large, archive(100)))).resolves.toMatchObject({ status: 413 })
    // Without a Content-Length the limit holds as well.
    const response = await fetch(`${small.url}/xrpc/com.atproto.repo.importRepo`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${large.agent.session?.accessJwt}`,
        'content-type': 'application/vnd.ipld.car',
      },
      body: ReadableStream.from([archive(100)]),
      duplex: 'half',
    } as RequestInit)
    expect(response.status).toBe(413)
    await importRepo(large, archive(5))
    const anonymous = await fetch(`${small.url}/xrpc/com.atproto.repo.importRepo`, {
      method: 'POST',
      headers: { 'content-type': 'application/vnd.ipld.car' },
      body: archive(5),
    })
    expect([anonymous.status, await anonymous.json()]).toMatchObject([401, { error: 'AuthMissing' }])
  })

  it('archives larger than a blob', async () => {
    await using strict = await startPds({ plcUrl: plc.url, env: { PDS_BLOB_UPLOAD_LIMIT: '1000' } })
    const user = await createUser(strict, 'archivist')
    await importRepo(user, carOf(makeArchive(user.did, new Map(typicalRecords(200)))))
  })
})

describe('while an import runs', () => {
  const openImports = (folder = testFolder()) => {
    const repos = openRepos(folder)
    const imports = new Imports({ ...repos, log: logger('imports') }, { folder: `${folder}/imports` })
    return { ...repos, imports, folder }
  }
  async function* inChunks(file: Buffer, bytes = 64 * 1024): AsyncGenerator<Buffer> {
    for (let at = 0; at < file.length; at += bytes) yield file.subarray(at, at + bytes)
  }
  /** Resolves when the import has begun to fill its repository. */
  const begun = async ({ store }: ReturnType<typeof openImports>) => {
    while (store.imports.loose().length === 0) await new Promise(setImmediate)
  }

  it('the old repository is there, and the new one comes whole', async () => {
    const repos = openImports()
    const owner = await repos.createRepo()
    await repos.writer.write(owner, [create('before')])
    const records = new Map(typicalRecords(5000))
    const running = repos.imports.import(owner, inChunks(carOf(makeArchive(owner.did, records))))
    await begun(repos)
    const seen = new Set<string>()
    const done = running.then(() => true)
    while (
      !(await Promise.race([done, new Promise<false>((resolve) => setImmediate(() => resolve(false)))]))
    ) {
      seen.add(repos.reader.collections(owner).join())
    }
    expect(seen.has('com.example.thing')).toBe(true)
    seen.add(repos.reader.collections(owner).join())
    const news = ['app.bsky.feed.like', 'app.bsky.feed.post', 'app.bsky.feed.repost', 'app.bsky.graph.follow']
    expect([...seen]).toEqual(['com.example.thing', news.join()])
    await repos.imports[Symbol.asyncDispose]()
  })

  it('a write to the repository makes it fail, and is kept', async () => {
    const repos = openImports()
    const owner = await repos.createRepo()
    const records = new Map(typicalRecords(3000))
    const running = rejection(repos.imports.import(owner, inChunks(carOf(makeArchive(owner.did, records)))))
    await begun(repos)
    await repos.writer.write(owner, [create('meanwhile')])
    expect(await running).toBeInstanceOf(SwapMismatchError)
    expect(repos.reader.collections(owner)).toEqual(['com.example.thing'])
    await repos.imports[Symbol.asyncDispose]()
  })

  it('an export that began before shows the repository of then', async () => {
    const repos = openImports()
    const owner = await repos.createRepo()
    for (let n = 0; n < 3; n++) {
      const writes = Array.from({ length: 100 }, (_, i) => create(`k${n}-${i}`, `${i} `.repeat(2000)))
      await repos.writer.write(owner, writes)
    }
    const before = Buffer.concat(await Array.fromAsync(repos.exports.car(owner)))
    const running = repos.exports.car(owner)
    const chunks = [(await running.next()).value as Buffer]
    await repos.imports.import(owner, inChunks(carOf(makeArchive(owner.did, new Map(typicalRecords(100))))))
    expect(repos.store.imports.loose()).toHaveLength(1)
    for await (const chunk of running) chunks.push(chunk)
    expect(Buffer.concat(chunks).equals(before)).toBe(true)
    while (repos.store.imports.loose().length > 0) await new Promise(setImmediate)
    await repos.imports[Symbol.asyncDispose]()
  })

  it('another of the same account waits for it', async () => {
    const repos = openImports()
    const owner = await repos.createRepo()
    const first = new Map(typicalRecords(2000))
    const second = new Map(typicalRecords(10))
    const one = repos.imports.import(owner, inChunks(carOf(makeArchive(owner.did, first))))
    const two = repos.imports.import(owner, inChunks(carOf(makeArchive(owner.did, second))))
    const [{ rev: before }, { rev: after }] = await Promise.all([one, two])
    expect(after > before).toBe(true)
    expect(
      repos.reader.records(owner, { collection: 'app.bsky.feed.post', limit: 100, reverse: true }),
    ).toHaveLength(2)
    await repos.imports[Symbol.asyncDispose]()
  })

  it('an archive that breaks off changes nothing', async () => {
    const repos = openImports()
    const owner = await repos.createRepo()
    async function* broken() {
      yield carOf(makeArchive(owner.did, new Map(typicalRecords(100)))).subarray(0, 5000)
      throw new Error('the sender is gone')
    }
    await expect(repos.imports.import(owner, broken())).rejects.toThrow('the sender is gone')
    expect(repos.reader.collections(owner)).toEqual([])
    await repos.imports[Symbol.asyncDispose]()
  })
})
