/** Files, and the records that refer to them. */
import type { Case } from '../cases.ts'
import { type Ask, exchange } from '../exchange.ts'
import { BLOB_BYTES_MAX, keyAt, type Peer, POST, png, post, THING } from '../peers.ts'
import { as, type Body, call, carol, look, put, remove, scene, unknownBlob } from './scene.ts'

const upload = (label: string, bytes: Buffer, type: string | undefined, more: Partial<Ask> = {}) =>
  call('uploadBlob', label, () => bytes, { ...more, headers: { 'content-type': type } })

const blobOf = async (peer: Peer, bytes: Buffer, type: string) => {
  const { body } = await exchange(peer.url, {
    path: 'com.atproto.repo.uploadBlob',
    verb: 'POST',
    body: bytes,
    headers: { ...as('carol')(peer), 'content-type': type },
  })
  return JSON.parse(body.toString()).blob
}

const picture = (change: (blob: Body) => Body) => async (peer: Peer) => {
  const image = change(await blobOf(peer, png('carol'), 'image/png'))
  const embed = { $type: 'app.bsky.embed.images', images: [{ alt: '', image }] }
  return carol({ collection: POST, rkey: keyAt(12), record: post('a picture', { embed }) })(peer)
}
const html = Buffer.from('<script>alert(1)</script>')

/** Files, and the records that refer to them. */
export const blobs: readonly Case[] = [
  upload('a picture that says it is one', png('carol'), 'image/png'),
  upload('a picture that says it is text', png('carol2'), 'text/plain'),
  upload('text that says it is a picture', Buffer.from('just text'), 'image/png'),
  upload('a page', html, 'text/html'),
  upload('nothing', Buffer.alloc(0), 'image/png'),
  upload('no type', png('carol3'), undefined),
  upload('a strange type', png('carol').subarray(8), 'rubbish'),
  upload('a type with a parameter', Buffer.from('with a parameter'), 'text/plain; charset=utf-8'),
  upload('a type in capitals', Buffer.from('in capitals'), 'TEXT/PLAIN'),
  upload('as large as may be', png('large', BLOB_BYTES_MAX), 'image/png'),
  upload('too large', png('larger', BLOB_BYTES_MAX + 1), 'image/png'),
  upload('too large, in pieces', png('larger', BLOB_BYTES_MAX + 1), 'image/png', { chunked: true }),
  upload('in pieces', png('pieces'), 'image/png', { chunked: true }),
  call(
    'createRecord',
    'a picture of another size',
    picture((blob) => ({ ...blob, size: 1 })),
  ),
  call(
    'createRecord',
    'a picture of another type',
    picture((blob) => ({ ...blob, mimeType: 'image/jpeg' })),
  ),
  call(
    'createRecord',
    'a picture of a type that is not taken',
    picture((blob) => ({ ...blob, mimeType: 'text/plain' })),
  ),
  call(
    'createRecord',
    'a picture that says it is too large',
    picture((blob) => ({ ...blob, size: 50_000_000 })),
  ),
  call(
    'createRecord',
    'a picture that is not there',
    picture((blob) => ({ ...blob, ref: { $link: unknownBlob } })),
  ),
  call('createRecord', 'a picture of another account', async (peer: Peer) =>
    picture((blob) => ({ ...blob, ref: { $link: peer.looseBlob } }))(peer),
  ),
  call(
    'createRecord',
    'a picture',
    picture((blob) => blob),
  ),
  look('with a picture'),
  scene('a blob: of carol', ({ users }) => ({
    path: 'com.atproto.sync.listBlobs',
    query: { did: users.carol.did },
  })),
  call('createRecord', 'a page', async (peer: Peer) =>
    carol({ collection: THING, rkey: 'page', record: { page: await blobOf(peer, html, 'text/html') } })(peer),
  ),
  scene('a blob: the page', async (peer) => ({
    path: 'com.atproto.sync.getBlob',
    query: { did: peer.users.carol.did, cid: (await blobOf(peer, html, 'text/html')).ref.$link },
  })),
  scene('a blob: that none refers to', ({ users, looseBlob }) => ({
    path: 'com.atproto.sync.getBlob',
    query: { did: users.alice.did, cid: looseBlob },
  })),
  scene('a blob: of another', ({ users, blob }) => ({
    path: 'com.atproto.sync.getBlob',
    query: { did: users.bob.did, cid: blob },
  })),
  scene('a blob: a part', ({ users, blob }) => ({
    path: 'com.atproto.sync.getBlob',
    query: { did: users.alice.did, cid: blob },
    headers: { range: 'bytes=0-9' },
  })),
  scene('a blob: its head', ({ users, blob }) => ({
    verb: 'HEAD',
    path: 'com.atproto.sync.getBlob',
    query: { did: users.alice.did, cid: blob },
  })),
  remove('the picture', { rkey: keyAt(12) }),
  scene('a blob: of carol, after', ({ users }) => ({
    path: 'com.atproto.sync.listBlobs',
    query: { did: users.carol.did },
  })),
  put('with one blob', { collection: THING, rkey: 'page', record: { none: 1 } }),
  scene('a blob: of carol, none', ({ users }) => ({
    path: 'com.atproto.sync.listBlobs',
    query: { did: users.carol.did },
  })),
]
