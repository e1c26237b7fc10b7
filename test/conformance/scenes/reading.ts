/** Pages and cursors, revisions and proofs; and what is not XRPC. */
import type { Case } from '../cases.ts'
import { exchange } from '../exchange.ts'
import { keyAt, type Peer, POST, PROFILE, THING } from '../peers.ts'
import { as, type Body, page, scene, unknownCid } from './scene.ts'

const read = (method: string, label: string, params: (peer: Peer) => Body) =>
  scene(`com.atproto.${method}: ${label}`, (peer) => ({ path: `com.atproto.${method}`, query: params(peer) }))

/** Pages and cursors, revisions and proofs. */
export const reading: readonly Case[] = [
  ...[
    keyAt(5),
    keyAt(0),
    keyAt(15),
    '',
    'x',
    'zzzz',
    '2',
    '~',
    'ä',
    "' OR 1",
    '3LAAAAAAAAAAF',
    'x'.repeat(2000),
  ].flatMap((cursor) =>
    [false, true].map((reverse) =>
      read(
        'repo.listRecords',
        `after "${cursor.slice(0, 20)}"${reverse ? ' backwards' : ''}`,
        ({ users }) => ({ repo: users.alice.did, collection: POST, limit: 3, cursor, reverse }),
      ),
    ),
  ),
  read('repo.listRecords', 'of an unknown kind', () => ({ repo: 'alice-here.test', collection: THING })),
  read('repo.listRecords', 'of which there are none', () => ({
    repo: 'alice-here.test',
    collection: 'com.example.none',
  })),
  read('repo.listRecords', 'rkeyStart', () => ({
    repo: 'alice-here.test',
    collection: POST,
    rkeyStart: keyAt(2),
  })),
  read('repo.getRecord', 'with its CID', ({ users, records }) => ({
    repo: users.alice.did,
    collection: POST,
    rkey: keyAt(1),
    cid: records[keyAt(1)],
  })),
  read('repo.getRecord', 'with another CID', ({ users }) => ({
    repo: users.alice.did,
    collection: POST,
    rkey: keyAt(1),
    cid: unknownCid,
  })),
  read('repo.getRecord', 'by handle', () => ({ repo: 'alice-here.test', collection: PROFILE, rkey: 'self' })),
  read('repo.getRecord', 'with a colon', () => ({
    repo: 'alice-here.test',
    collection: THING,
    rkey: 'b:c.d_e-f',
  })),
  read('repo.getRecord', 'with a picture', () => ({
    repo: 'alice-here.test',
    collection: POST,
    rkey: keyAt(10),
  })),
  ...['1::x', 'x', '1', '1::', '::x', 'a::b', '99999999999999999::x', '-1::x', '1.5::x', '1::2::3'].map(
    (cursor) => read('sync.listRepos', `after "${cursor}"`, () => ({ limit: 2, cursor })),
  ),
  scene('com.atproto.sync.listRepos: the second page', async ({ url }) => {
    const { body } = await exchange(url, { path: 'com.atproto.sync.listRepos', query: { limit: 2 } })
    return {
      path: 'com.atproto.sync.listRepos',
      query: { limit: 2, cursor: JSON.parse(body.toString()).cursor },
    }
  }),
  ...['x', '3zzzzzzzzzzzz', '2222222222222'].flatMap((since) =>
    (['sync.getRepo', 'sync.listBlobs'] as const).map((method) =>
      read(method, `since ${since}`, ({ users }) => ({ did: users.alice.did, since })),
    ),
  ),
  read('sync.listBlobs', 'one', ({ users }) => ({ did: users.alice.did, limit: 1 })),
  read('sync.listBlobs', 'after the last', ({ users, blob }) => ({ did: users.alice.did, cursor: blob })),
  read('sync.getBlocks', 'one and none', ({ users, records }) => ({
    did: users.alice.did,
    cids: [records[keyAt(1)], unknownCid],
  })),
  read('sync.getBlocks', 'twice the same', ({ users, records }) => ({
    did: users.alice.did,
    cids: [records[keyAt(1)], records[keyAt(1)]],
  })),
  read('sync.getBlocks', 'a blob', ({ users, blob }) => ({ did: users.alice.did, cids: blob })),
  read('sync.getBlocks', 'of another', ({ users, records }) => ({
    did: users.empty.did,
    cids: records[keyAt(1)],
  })),
  read('sync.getRecord', 'that is not there', ({ users }) => ({
    did: users.alice.did,
    collection: POST,
    rkey: '3lzzzzzzzzzz2',
  })),
  read('sync.getRecord', 'of a kind that there is none of', ({ users }) => ({
    did: users.alice.did,
    collection: 'com.example.none',
    rkey: 'a',
  })),
  read('sync.getRecord', 'of an empty repository', ({ users }) => ({
    did: users.empty.did,
    collection: POST,
    rkey: 'a',
  })),
  read('sync.getRecord', 'of a commit', ({ users, commit }) => ({
    did: users.alice.did,
    collection: POST,
    rkey: keyAt(1),
    commit,
  })),
  read('sync.getRepo', 'of nothing', ({ users }) => ({ did: users.empty.did })),
  read('identity.resolveHandle', 'in capitals', () => ({ handle: 'ALICE-HERE.TEST' })),
  read('identity.resolveHandle', 'nobody of ours', () => ({ handle: 'nobody-here.test' })),
  read('identity.resolveHandle', 'the domain itself', () => ({ handle: 'a.b.c.test' })),
  read('identity.resolveHandle', 'one who is deactivated', () => ({ handle: 'dora-here.test' })),
  read('identity.resolveHandle', 'one who was taken down', () => ({ handle: 'tania-here.test' })),
]

/** What is not XRPC, and XRPC that is not there. */
export const pages: readonly Case[] = [
  ...[
    '/',
    '/robots.txt',
    '/xrpc/_health',
    '/.well-known/atproto-did',
    '/nothing',
    '/favicon.ico',
    '/xrpc',
    '/xrpc/',
    '/xrpc/_nothing',
    '/xrpc/x',
    '/xrpc/com.example.method',
    '/xrpc/com.example.method/more',
    '/xrpc/com.atproto.sync.subscribeRepos',
    '/xrpc//',
    '//',
    '/%',
    '/xrpc/%',
    '/xrpc/com.atproto.sync.getHead%00',
    '/xrpc/com.atproto.server.describeServer?x=%ff',
    '/xrpc/com.atproto.server.describeServer#x',
  ].flatMap((path) => ['GET', 'HEAD', 'POST', 'OPTIONS', 'DELETE'].map((verb) => page(verb, path))),
  ...[
    'alice-here.test',
    'ALICE-here.test',
    'alice-here.test:443',
    'nobody-here.test',
    'dora-here.test',
    'tania-here.test',
    'localhost',
    'alice.example.com',
    'test',
  ].flatMap((host) => [
    page('GET', '/.well-known/atproto-did', { host }),
    page('GET', '/.well-known/atproto-did', { 'x-forwarded-host': host }),
  ]),
  page('GET', '/xrpc/com.example.method', { authorization: 'Bearer x' }),
  scene('an unknown method by alice', (peer) => ({ path: 'com.example.method', headers: as('alice')(peer) })),
  scene('an unknown method by alice, written', (peer) => ({
    verb: 'POST',
    path: 'com.example.method',
    headers: as('alice')(peer),
    body: {},
  })),
]
