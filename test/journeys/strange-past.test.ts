/**
 * An account that is older than today's rules moves here from a running `@atproto/pds` that holds
 * what it brings: a profile from the time when records named blobs in another form, blobs that are
 * something else than their records say, records that nobody writes today.
 */
import { createHash } from 'node:crypto'
import { AtpAgent } from '@atproto/api'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { encode } from '#protocol/cbor.ts'
import { cidForRaw, formatCid } from '#protocol/cid.ts'
import { Link } from '#protocol/link.ts'
import { carOf, makeArchive } from '../support/archive.ts'
import { moveAccount } from '../support/moving.ts'
import { PASSWORD, startPds, type TestPds } from '../support/pds.ts'
import { type PlcDirectory, startPlc } from '../support/plc.ts'
import { type ReferencePds, startReferencePds } from '../support/reference-pds.ts'
import { type MailServer, startMailServer } from '../support/smtp.ts'

const HANDLE = 'elder.test'
const HERE = 'did:web:atoll.example'
const PROFILE = 'app.bsky.actor.profile'
const NOTE = 'com.example.note'
const createdAt = '2023-02-11T10:00:00.000Z'

const JPEG = Buffer.concat([Buffer.from('ffd8ffe000104a46494600010100', 'hex'), Buffer.from('a portrait')])
const SVG = Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"><circle r="4"/></svg>')
const FORM = Buffer.from('--x\r\ncontent-disposition: form-data; name="file"\r\n\r\na picture\r\n--x--\r\n')
/** Its name by what an old record says of it, and what it was uploaded as. */
const blobs = {
  avatar: { bytes: JPEG, type: 'image/jpeg' },
  banner: { bytes: Buffer.concat([JPEG, Buffer.from(' of a coast')]), type: 'image/jpeg' },
  drawing: { bytes: SVG, type: '*/*' },
  form: { bytes: FORM, type: 'multipart/form-data; boundary=x' },
}
const refTo = (bytes: Buffer, mimeType: string) => ({
  $type: 'blob',
  ref: new Link(cidForRaw(bytes)),
  mimeType,
  size: bytes.length,
})

/** What `@atproto/pds` takes in an archive and from no client. */
const imported = new Map<string, Record<string, unknown>>([
  [
    `${PROFILE}/self`,
    {
      $type: PROFILE,
      displayName: 'The elder',
      avatar: { cid: formatCid(cidForRaw(JPEG)), mimeType: 'image/jpeg' },
      // It is a JPEG.
      banner: refTo(blobs.banner.bytes, 'image/png'),
    },
  ],
  [`${NOTE}/drawing`, { $type: NOTE, picture: refTo(SVG, 'image/svg+xml') }],
  [`${NOTE}/form`, { $type: NOTE, picture: refTo(FORM, 'multipart/form-data') }],
  // Blobs of a size and of a type that their uploads did not have.
  [`${NOTE}/sizeless`, { $type: NOTE, picture: { ...refTo(JPEG, 'image/webp'), size: 12 } }],
])
const note = (valueOfX: string) => {
  const head = encode({ $type: NOTE })
  return Buffer.concat([Buffer.from('a26178', 'hex'), Buffer.from(valueOfX, 'hex'), head.subarray(1)])
}
/**
 * The value of `x` as bytes and as JSON; what a client puts in its place that cannot say the same.
 */
const strange: Record<string, [cbor: string, json: string, instead?: string]> = {
  'past-2-53': ['1b0040000000000007', '18014398509481991', '"18014398509481991"'],
  'far-below': ['3b00ffffffffffffff', '-72057594037927936', '"-72057594037927936"'],
  float: ['fb400921fb54442d18', '3.141592653589793', '"3.141592653589793"'],
  'float-single': ['fa3fc00000', '1.5', '"1.5"'],
  'odd-type': ['a165247479706563412042', '{"$type":"A B"}'],
  deep: [`${'81'.repeat(700)}00`, `${'['.repeat(700)}0${']'.repeat(700)}`],
  'unsorted-keys': ['a3617a01617902617803', '{"z":1,"y":2,"x":3}'],
}

/** Legal keys, and records of every kind that `@atproto/pds` takes from a client unchecked. */
const created: Record<string, Record<string, unknown>> = {
  'self:~.-_': { text: 'every sign that a key may have' },
  ['k'.repeat(512)]: { text: 'the longest key' },
  _: { text: 'the shortest', part: { $type: 'com.example.nowhere#part', of: [{ $type: 'x.y.z', n: 0 }] } },
  constructor: {
    '': 'an empty name',
    toString: 'a name of every object',
    'sp ace': null,
    'ключ 🗝': [[], {}],
  },
}

let plc: PlcDirectory
let mails: MailServer
let from: ReferencePds
let here: TestPds
let agent: AtpAgent
let did: string

beforeAll(async () => {
  plc = await startPlc()
  mails = await startMailServer()
  const env = { PDS_EMAIL_SMTP_URL: mails.url, PDS_EMAIL_FROM_ADDRESS: 'pds@mail.example' }
  from = await startReferencePds(plc.url, {
    ...env,
    PDS_SERVICE_DID: 'did:web:old.example',
    // Named only because it keeps no preferences otherwise.
    PDS_BSKY_APP_VIEW_URL: 'http://localhost:9',
    PDS_BSKY_APP_VIEW_DID: 'did:web:view.example',
  })
  here = await startPds({ plcUrl: plc.url, env: { ...env, PDS_SERVICE_DID: HERE } })

  const old = new AtpAgent({ service: from.url })
  await old.createAccount({ handle: HANDLE, email: 'elder@mail.example', password: PASSWORD })
  did = old.session!.did
  const archive = makeArchive(did, imported, {
    blocks: Object.entries(strange).map(([rkey, [cbor]]) => [`${NOTE}/${rkey}`, note(cbor)] as const),
  })
  await old.com.atproto.repo.importRepo(carOf(archive), { encoding: 'application/vnd.ipld.car' })
  for (const { bytes, type } of Object.values(blobs)) await old.uploadBlob(bytes, { encoding: type })
  for (const [rkey, record] of Object.entries(created)) {
    const input = { repo: did, collection: NOTE, rkey, record: { $type: NOTE, ...record }, validate: false }
    await old.com.atproto.repo.putRecord(input)
  }
  await old.post({ text: 'today', createdAt })

  const moved = await moveAccount(old, { url: here.url, did: HERE }, { did, handle: HANDLE, mails })
  agent = moved.agent
  expect(moved.statuses).toMatchObject({
    uploaded: { expectedBlobs: 4, importedBlobs: 4 },
    activated: { activated: true, validDid: true },
  })
}, 60_000)
afterAll(async () => {
  await here?.[Symbol.asyncDispose]()
  await from?.[Symbol.asyncDispose]()
  await mails?.[Symbol.asyncDispose]()
  await plc?.[Symbol.asyncDispose]()
})

const get = async (collection: string, rkey: string): Promise<string> => {
  const query = new URLSearchParams({ repo: did, collection, rkey })
  const text = await (await fetch(`${here.url}/xrpc/com.atproto.repo.getRecord?${query}`)).text()
  const value = /^\{"uri":.*?,"value":(.*)\}$/su.exec(text)?.[1]
  if (value === undefined) throw new Error(`${rkey}: ${text}`)
  return value
}
/** Sends JSON as it is: a client's library would not read all of these. */
const put = async (collection: string, rkey: string, record: string): Promise<[number, string]> => {
  const response = await fetch(`${here.url}/xrpc/com.atproto.repo.putRecord`, {
    method: 'POST',
    headers: { authorization: `Bearer ${agent.session?.accessJwt}`, 'content-type': 'application/json' },
    body: `{"repo":"${did}","collection":"${collection}","rkey":${JSON.stringify(rkey)},"record":${record}}`,
  })
  return [response.status, response.ok ? '' : await response.text()]
}
const edited = (record: string) => record.replace(/^\{/, '{"edited":true,')

describe('everything that moved in', () => {
  test('is there', async () => {
    const records = await agent.com.atproto.repo.listRecords({ repo: did, collection: NOTE, limit: 100 })
    const rkeys = records.data.records.map(({ uri }) => uri.split('/').at(-1))
    const expected = [...Object.keys(strange), ...Object.keys(created), 'drawing', 'form', 'sizeless']
    expect(rkeys.sort()).toEqual(expected.sort())
    const { data } = await agent.com.atproto.sync.listBlobs({ did })
    expect(data.cids).toHaveLength(4)
  })

  test('has its blobs, of the types that their records say where they say nothing themselves', async () => {
    const typeOf: Record<string, string> = {}
    for (const [name, { bytes }] of Object.entries(blobs)) {
      const cid = formatCid(cidForRaw(bytes))
      const response = await fetch(`${here.url}/xrpc/com.atproto.sync.getBlob?did=${did}&cid=${cid}`)
      typeOf[name] = response.headers.get('content-type')!
      expect(digest(Buffer.from(await response.arrayBuffer()))).toBe(digest(bytes))
    }
    expect(typeOf).toEqual({
      avatar: 'image/jpeg',
      banner: 'image/jpeg',
      drawing: 'image/svg+xml',
      form: 'application/octet-stream',
    })
  })

  test('lets its profile be edited, whose picture then has the form of today', async () => {
    const profile = JSON.parse(await get(PROFILE, 'self'))
    expect(await put(PROFILE, 'self', JSON.stringify({ ...profile, displayName: 'Elder still' }))).toEqual([
      200,
      '',
    ])
    expect(JSON.parse(await get(PROFILE, 'self'))).toEqual({
      ...profile,
      displayName: 'Elder still',
      avatar: {
        $type: 'blob',
        ref: { $link: formatCid(cidForRaw(JPEG)) },
        mimeType: 'image/jpeg',
        size: JPEG.length,
      },
    })
    await agent.upsertProfile((present) => ({ ...present, description: 'by the official client' }))
    expect(JSON.parse(await get(PROFILE, 'self'))).toMatchObject({ description: 'by the official client' })
  })

  const rkeys = ['drawing', 'form', 'sizeless', ...Object.keys(created)]
  test.each(rkeys.map((rkey) => [rkey.slice(0, 20), rkey] as const))('lets %s be edited', async (_, rkey) => {
    const record = await get(NOTE, rkey)
    expect(await put(NOTE, rkey, edited(record))).toEqual([200, ''])
    expect(JSON.parse(await get(NOTE, rkey))).toEqual({ ...JSON.parse(record), edited: true })
  })

  test.each(Object.entries(strange))('lets %s be edited', async (rkey, [, json, instead = json]) => {
    expect(await get(NOTE, rkey)).toBe(`{"x":${json},"$type":"${NOTE}"}`)
    expect(await put(NOTE, rkey, `{"$type":"${NOTE}","x":${instead},"edited":true}`)).toEqual([200, ''])
    expect(await get(NOTE, rkey)).toContain('"edited":true')
  })
})

const digest = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
