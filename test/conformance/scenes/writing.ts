/** Records that point at something, put, deleted, and written many at once. */
import { tidFromMicros } from '#protocol/tid.ts'
import type { Case } from '../cases.ts'
import { createdAt, keyAt, LIKE, type Peer, POST, PROFILE, post, THING } from '../peers.ts'
import {
  type Body,
  blobJson,
  call,
  carol,
  create,
  headOf,
  like,
  look,
  put,
  remove,
  scene,
  unknownBlob,
  unknownCid,
} from './scene.ts'

const follow = (subject: unknown) => ({ $type: 'app.bsky.graph.follow', subject, createdAt })

/** Likes and follows, which replace those of the same subject. */
export const pointing: readonly Case[] = [
  create('a like', { collection: LIKE, rkey: keyAt(1), record: like(1) }),
  create('another like', { collection: LIKE, rkey: keyAt(2), record: like(2) }),
  create('the first like again', { collection: LIKE, rkey: keyAt(3), record: like(1) }),
  look('a like that replaced another', LIKE),
  create('the same like under the same key', { collection: LIKE, rkey: keyAt(3), record: like(1) }),
  look('a like that replaced itself', LIKE),
  create('a like that is not checked', {
    collection: LIKE,
    rkey: keyAt(4),
    record: like(1),
    validate: false,
  }),
  create('a like whose check is wanted', {
    collection: LIKE,
    rkey: keyAt(5),
    record: like(2),
    validate: true,
  }),
  look('likes that are checked and not', LIKE),
  create('a like of nothing', { collection: LIKE, rkey: keyAt(6), record: { ...like(1), subject: null } }),
  create('a like of nothing, not checked', {
    collection: LIKE,
    rkey: keyAt(6),
    record: { ...like(1), subject: null },
    validate: false,
  }),
  put('a like', { collection: LIKE, rkey: keyAt(7), record: like(2) }),
  look('a like that was put', LIKE),
  create('a follow', {
    collection: 'app.bsky.graph.follow',
    rkey: keyAt(1),
    record: follow('did:plc:aaaaaaaaaaaaaaaaaaaaaaaa'),
  }),
  create('the follow again', {
    collection: 'app.bsky.graph.follow',
    rkey: keyAt(2),
    record: follow('did:plc:aaaaaaaaaaaaaaaaaaaaaaaa'),
  }),
  create('a follow of a handle', {
    collection: 'app.bsky.graph.follow',
    rkey: keyAt(3),
    record: follow('a.test'),
  }),
  look('follows', 'app.bsky.graph.follow'),
]

/** Records put and deleted. */
export const putting: readonly Case[] = [
  put('a new key', { rkey: keyAt(5), record: post('five') }),
  put('what is there', { rkey: keyAt(5), record: post('five') }),
  put('what is there, with a wrong swapRecord', {
    rkey: keyAt(5),
    record: post('five'),
    swapRecord: unknownCid,
  }),
  put('what is there, with a wrong swapCommit', {
    rkey: keyAt(5),
    record: post('five'),
    swapCommit: unknownCid,
  }),
  put('what is there, where there should be none', {
    rkey: keyAt(5),
    record: post('five'),
    swapRecord: null,
  }),
  put('another', { rkey: keyAt(5), record: post('five!') }),
  put('a wrong swapRecord', { rkey: keyAt(5), record: post('x'), swapRecord: unknownCid }),
  put('where there should be none', { rkey: keyAt(5), record: post('x'), swapRecord: null }),
  put('where there is none', { rkey: keyAt(6), record: post('x'), swapRecord: unknownCid }),
  put('where there should be and is none', { rkey: keyAt(6), record: post('six'), swapRecord: null }),
  put('a wrong swapCommit', { rkey: keyAt(5), record: post('x'), swapCommit: unknownCid }),
  put('both wrong', { rkey: keyAt(5), record: post('x'), swapCommit: unknownCid, swapRecord: unknownCid }),
  put('no key', { record: post('x') }),
  put('a key of another kind', { rkey: 'self', record: post('x') }),
  put('a key of another kind, not checked', { rkey: 'self', record: post('x'), validate: false }),
  put('an invalid record', { rkey: keyAt(5), record: { text: 7 } }),
  put('an invalid record, not checked', { rkey: keyAt(5), record: { text: 7 }, validate: false }),
  put('a profile', { collection: PROFILE, rkey: 'self', record: { displayName: 'C' } }),
  put('a profile that is too long', {
    collection: PROFILE,
    rkey: 'self',
    record: { displayName: 'x'.repeat(700) },
  }),
  put('a profile elsewhere', { collection: PROFILE, rkey: 'me', record: { displayName: 'C' } }),
  put('an unknown kind', { collection: THING, rkey: 'put', record: { a: 1 } }),
  put('an unknown kind, checked', { collection: THING, rkey: 'put', record: { a: 2 }, validate: true }),
  put('a fraction', { collection: THING, rkey: 'put', record: { a: 1.5 } }),
  put('null', { rkey: keyAt(5), record: null }),
  look('put'),
  remove('one', { rkey: keyAt(5) }),
  remove('one again', { rkey: keyAt(5) }),
  remove('a wrong swapRecord', { rkey: keyAt(6), swapRecord: unknownCid }),
  remove('a wrong swapCommit', { rkey: keyAt(6), swapCommit: unknownCid }),
  remove('nothing, with a wrong swapRecord', { rkey: keyAt(9), swapRecord: unknownCid }),
  remove('nothing, with a wrong swapCommit', { rkey: keyAt(9), swapCommit: unknownCid }),
  remove('the right swapRecord', {
    rkey: keyAt(1),
    swapRecord: 'bafyreibjo4xmgaevkgud7mbifn3dzp4v4lyaui4yvqp3f2bqwxtcjrdqdy',
  }),
  remove('of an unknown kind', { collection: THING, rkey: 'put' }),
  remove('of a kind that there is none of', { collection: 'com.example.none', rkey: 'put' }),
  remove('a key that cannot be', { rkey: 'a/b' }),
  call('deleteRecord', 'of another', ({ users }: Peer) => ({
    repo: users.alice.did,
    collection: POST,
    rkey: keyAt(0),
  })),
  look('deleted'),
]

const W = 'com.atproto.repo.applyWrites#'
const C = (rkey: string | undefined, text: string, more: object = {}) => ({
  $type: `${W}create`,
  collection: POST,
  rkey,
  value: post(text),
  ...more,
})
const U = (rkey: string, text: string, more: object = {}) => ({
  $type: `${W}update`,
  collection: POST,
  rkey,
  value: post(text),
  ...more,
})
const D = (rkey: string, more: object = {}) => ({ $type: `${W}delete`, collection: POST, rkey, ...more })
const apply = (label: string, writes: unknown, more: Body = {}) =>
  call('applyWrites', label, carol({ writes, ...more }))
const key = (n: number) => tidFromMicros(1_700_000_000_000_000 + n, 0)

/** Many writes at once. */
export const applying: readonly Case[] = [
  apply('three creates', [C(key(2), 'a'), C(key(3), 'b'), C(key(4), 'c')]),
  apply('one of each', [U(key(2), 'A'), D(key(3)), C(key(5), 'd')]),
  apply('nothing', []),
  apply('nothing, with a wrong swapCommit', [], { swapCommit: unknownCid }),
  apply('a create of what is there', [C(key(6), 'x'), C(key(2), 'x')]),
  apply('an update of what is not', [C(key(6), 'x'), U(key(7), 'x')]),
  apply('a delete of what is not', [C(key(6), 'x'), D(key(7))]),
  apply('two creates of one', [C(key(6), 'x'), C(key(6), 'y')]),
  apply('a create and a delete of one', [C(key(6), 'x'), D(key(6))]),
  apply('a create and an update of one', [C(key(7), 'x'), U(key(7), 'y')]),
  apply('a delete and a create of one', [D(key(2)), C(key(2), 'again')]),
  apply('a delete and a create of the same', [D(key(2)), C(key(2), 'again')]),
  apply('an update and a delete of one', [U(key(5), 'x'), D(key(5))]),
  apply('two updates of one', [U(key(4), 'x'), U(key(4), 'y')]),
  apply('two deletes of one', [D(key(4)), D(key(4))]),
  apply('an update that changes nothing', [U(key(4), 'y')]),
  look('applied'),
  apply('a wrong swapCommit', [C(key(26), 'x')], { swapCommit: unknownCid }),
  call('applyWrites', 'the right swapCommit', async (peer: Peer) => ({
    ...carol({ writes: [C(key(26), 'swapped')] })(peer),
    swapCommit: await headOf(peer),
  })),
  apply('no kind', [{ collection: POST, rkey: key(27), value: post('x') }]),
  apply('an unknown kind', [
    { $type: 'com.example.write', collection: POST, rkey: key(27), value: post('x') },
  ]),
  apply('a kind in short', [{ $type: '#create', collection: POST, rkey: key(27), value: post('x') }]),
  apply('no value', [{ $type: `${W}create`, collection: POST, rkey: key(27) }]),
  apply('no key for an update', [{ $type: `${W}update`, collection: POST, value: post('x') }]),
  apply('no key for a delete', [{ $type: `${W}delete`, collection: POST }]),
  apply('an invalid one', [C(key(27), 'x'), C(key(34), 'x', { value: { text: 7 } })]),
  apply('an invalid one, not checked', [C(key(35), 'x', { value: { text: 7 } })], { validate: false }),
  apply('an unknown kind of record, checked', [C(key(27), 'x', { collection: THING })], { validate: true }),
  apply('another type', [C(key(27), 'x', { value: like(1) })]),
  apply('a key that cannot be', [C('a/b', 'x')]),
  apply('a blob that is not there', [
    C(key(27), 'x', { collection: THING, value: { b: blobJson(unknownBlob, 'image/png', 1) } }),
  ]),
  apply('a like that is there', [C(keyAt(10), '', { collection: LIKE, value: like(1) })]),
  apply('null', null),
  apply('one', C(key(27), 'x')),
  apply('numbers', [7]),
  apply(
    '200 writes',
    Array.from({ length: 200 }, (_, n) => C(key(222 + n), `${n}`)),
  ),
  apply(
    '201 writes',
    Array.from({ length: 201 }, () => D(key(2))),
  ),
  apply('for another', [C(key(27), 'x')], { repo: 'alice-here.test' }),
  look('after all writes'),
  scene('the repository after all writes', ({ users }) => ({
    path: 'com.atproto.repo.describeRepo',
    query: { repo: users.carol.did },
  })),
]
