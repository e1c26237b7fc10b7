/**
 * What records say of blobs: compared when a blob is new, taken as it is when the record is there
 * already.
 */
import { describe, expect, it } from 'vitest'
import { encode } from '#protocol/cbor.ts'
import { cidForRaw, cidToLink, formatCid } from '#protocol/cid.ts'
import { saysNothing, typeInRecord } from '../../../pds/blobs/references.ts'
import { withTypedBlobs } from '../../../pds/repo/legacy-blobs.ts'
import { carOf, makeArchive } from '../../support/archive.ts'
import { post, rejection } from '../../support/pds.ts'
import { withPds } from '../../support/with-pds.ts'

const PROFILE = 'app.bsky.actor.profile'
const THING = 'com.example.thing'
const JPEG = Buffer.from('ffd8ffe000104a46494600010100000100010000', 'hex')
const PNG = Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex')

const shared = withPds('referrer')

let count = 0
/** Bytes that nobody had before. */
const bytesOf = (head: Buffer | string) => Buffer.concat([Buffer.from(head), Buffer.from(` ${++count}`)])
const typed = (bytes: Buffer, mimeType: string) => ({
  $type: 'blob',
  ref: cidToLink(cidForRaw(bytes)),
  mimeType,
  size: bytes.length,
})
const legacy = (bytes: Buffer, mimeType: string) => ({ cid: formatCid(cidForRaw(bytes)), mimeType })

const importRecords = (records: Record<string, Record<string, unknown>>) =>
  shared.user.agent.com.atproto.repo.importRepo(
    carOf(makeArchive(shared.user.did, new Map(Object.entries(records)))),
    {
      encoding: 'application/vnd.ipld.car',
    },
  )
const upload = async (bytes: Buffer, encoding: string) =>
  (await shared.user.agent.uploadBlob(bytes, { encoding })).data.blob.mimeType
const put = (collection: string, rkey: string, record: object) =>
  shared.user.agent.com.atproto.repo.putRecord({
    repo: shared.user.did,
    collection,
    rkey,
    record: { ...record },
  })
const stored = async (collection: string, rkey: string) =>
  (await shared.user.agent.com.atproto.repo.getRecord({ repo: shared.user.did, collection, rkey })).data
    .value as Record<string, unknown>
const servedType = async (bytes: Buffer) => {
  const query = new URLSearchParams({ did: shared.user.did, cid: formatCid(cidForRaw(bytes)) })
  const response = await fetch(`${shared.pds.url}/xrpc/com.atproto.sync.getBlob?${query}`)
  await response.arrayBuffer()
  return response.headers.get('content-type')
}

describe('a record that was brought', () => {
  it('can be edited, though it gives its blob another type or size than the bytes have', async () => {
    const [avatar, attachment] = [bytesOf(JPEG), bytesOf('a caption')]
    const wrongSize = { ...typed(attachment, 'text/vtt'), size: 5 }
    await importRecords({
      [`${PROFILE}/self`]: { $type: PROFILE, avatar: typed(avatar, 'image/png') },
      [`${THING}/a`]: { $type: THING, captions: wrongSize },
    })
    expect(await upload(avatar, 'image/png')).toBe('image/jpeg')
    expect(await upload(attachment, 'text/plain')).toBe('text/vtt')
    await put(PROFILE, 'self', { displayName: 'renamed', avatar: typed(avatar, 'image/png') })
    expect(await stored(PROFILE, 'self')).toMatchObject({ displayName: 'renamed' })
    await put(THING, 'a', { note: 'edited', captions: wrongSize })
    // Moved to another key in one commit, as clients edit posts.
    const { agent, did: repo } = shared.user
    await agent.com.atproto.repo.applyWrites({
      repo,
      writes: [
        { $type: 'com.atproto.repo.applyWrites#delete', collection: THING, rkey: 'a' },
        {
          $type: 'com.atproto.repo.applyWrites#create',
          collection: THING,
          rkey: 'b',
          value: { $type: THING, captions: wrongSize },
        },
      ],
    })
    expect((await stored(THING, 'b')).captions).toMatchObject({ size: 5 })
    // Once no record refers to it, it is new again.
    await agent.com.atproto.repo.deleteRecord({ repo, collection: THING, rkey: 'b' })
    expect(await rejection(put(THING, 'c', { captions: wrongSize }))).toMatchObject({ error: 'InvalidSize' })
  })

  it('gives the type to bytes that say none', async () => {
    const [drawing, page, untyped] = [bytesOf('<svg/>'), bytesOf('<p>hello'), bytesOf('?')]
    await importRecords({
      [`${THING}/drawing`]: { $type: THING, file: typed(drawing, 'image/svg+xml') },
      [`${THING}/page`]: { $type: THING, file: legacy(page, 'text/html') },
      [`${THING}/untyped`]: { $type: THING, file: typed(untyped, '*/*') },
    })
    expect(await upload(drawing, '*/*')).toBe('image/svg+xml')
    expect(await upload(page, 'application/octet-stream')).toBe('text/html')
    expect(await upload(untyped, 'text/plain')).toBe('text/plain')
    expect(await servedType(drawing)).toBe('image/svg+xml')
  })

  it('gives the type to a blob that was stored without one', async () => {
    const drawing = bytesOf('<svg/>')
    expect(await upload(drawing, '*/*')).toBe('*/*')
    await importRecords({ [`${THING}/drawing`]: { $type: THING, file: typed(drawing, 'image/svg+xml') } })
    expect(await servedType(drawing)).toBe('image/svg+xml')
  })
})

describe('a blob that no record refers to', () => {
  it('takes a better type than none, and keeps one that it has', async () => {
    const drawing = bytesOf('<svg/>')
    expect(await upload(drawing, '*/*')).toBe('*/*')
    expect(await upload(drawing, 'application/octet-stream')).toBe('*/*')
    expect(await upload(drawing, 'image/svg+xml')).toBe('image/svg+xml')
    expect(await upload(drawing, '*/*')).toBe('image/svg+xml')
    expect(await upload(drawing, 'text/plain')).toBe('image/svg+xml')
    await put(THING, 'drawing', { file: typed(drawing, 'image/svg+xml') })
    expect(await servedType(drawing)).toBe('image/svg+xml')
  })

  it('is compared', async () => {
    const picture = bytesOf(PNG)
    await upload(picture, 'image/jpeg')
    expect(await rejection(put(THING, 'picture', { file: typed(picture, 'image/jpeg') }))).toMatchObject({
      status: 400,
      error: 'InvalidMimeType',
    })
    // For each record of a commit: one before it in the same commit speaks for nobody.
    const create = (mimeType: string) => ({
      $type: 'com.atproto.repo.applyWrites#create' as const,
      collection: THING,
      value: { $type: THING, file: typed(picture, mimeType) },
    })
    const writes = [create('image/png'), create('image/jpeg')]
    expect(
      await rejection(shared.user.agent.com.atproto.repo.applyWrites({ repo: shared.user.did, writes })),
    ).toMatchObject({ status: 400, error: 'InvalidMimeType' })
  })
})

describe('a profile with blobs of the old form', () => {
  it('can be put where one is, and has the new form then', async () => {
    const [avatar, banner] = [bytesOf(JPEG), bytesOf(PNG)]
    const old = { avatar: legacy(avatar, 'image/jpeg'), banner: legacy(banner, 'image/jpeg') }
    await importRecords({ [`${PROFILE}/self`]: { $type: PROFILE, ...old } })
    expect(await rejection(put(PROFILE, 'self', { ...old, displayName: 'x' }))).toMatchObject({
      status: 400,
      error: 'BlobNotFound',
    })
    await upload(avatar, '*/*')
    await upload(banner, '*/*')
    await put(PROFILE, 'self', { ...old, displayName: 'renamed' })
    const { value } = (
      await shared.user.agent.com.atproto.repo.getRecord({
        repo: shared.user.did,
        collection: PROFILE,
        rkey: 'self',
      })
    ).data
    expect(JSON.parse(JSON.stringify(value))).toMatchObject({
      displayName: 'renamed',
      avatar: { $type: 'blob', mimeType: 'image/jpeg', size: avatar.length },
      banner: { $type: 'blob', mimeType: 'image/jpeg', size: banner.length },
    })
  })

  it('cannot be made, and other records have none either', async () => {
    const avatar = bytesOf(JPEG)
    await upload(avatar, 'image/jpeg')
    const { agent, did: repo } = shared.user
    await agent.com.atproto.repo.deleteRecord({ repo, collection: PROFILE, rkey: 'self' })
    const old = { avatar: legacy(avatar, 'image/jpeg') }
    expect(await rejection(put(PROFILE, 'self', old))).toMatchObject({ status: 400 })
    const rkey = '3jzfcijpj2z2a'
    await put('app.bsky.feed.post', rkey, post('there'))
    expect(await rejection(put('app.bsky.feed.post', rkey, post('x', old)))).toMatchObject({ status: 400 })
  })

  it('keeps everything else as it was sent', () => {
    const profile = { $type: PROFILE, banner: { cid: 'no cid', mimeType: 'image/png' }, more: [1] }
    expect(encode(withTypedBlobs(profile, () => 1) as never)).toEqual(encode(profile))
  })
})

it.each(['', '*', '*/*', 'image/*', 'image', 'application/octet-stream', 'text/html\r\nx: y', 'a/b/c'])(
  'the type %j says nothing',
  (type) => {
    const bytes = bytesOf('x')
    expect(saysNothing(type)).toBe(true)
    expect(typeInRecord({ file: typed(bytes, type) } as never, cidForRaw(bytes))).toBeUndefined()
  },
)

it.each(['text/html', 'image/svg+xml', 'text/plain; charset=utf-8', 'application/vnd.ipld.car'])(
  'the type %j says something',
  (type) => expect(saysNothing(type)).toBe(false),
)
