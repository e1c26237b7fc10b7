/** What the operator does, and what is seen of it. */
import { askOf, type Case } from '../cases.ts'
import { adminHeader, keyAt, type Peer, POST } from '../peers.ts'
import { type Body, type Of, resolve, scene } from './scene.ts'

/** The operator's password in every wrong way. */
export const operator: readonly Case[] = [
  adminHeader.replace('Basic', 'basic'),
  `Basic ${Buffer.from('admin').toString('base64')}`,
  `Basic ${Buffer.from('admin:').toString('base64')}`,
  `Basic ${Buffer.from(`Admin:${atob(adminHeader.slice(6)).slice(6)}`).toString('base64')}`,
  `Basic ${Buffer.from(`root:${atob(adminHeader.slice(6)).slice(6)}`).toString('base64')}`,
  'Basic !!!',
].map((authorization, n) =>
  scene(`the operator ${n}`, (peer) =>
    askOf('com.atproto.sync.getRepo', peer, {
      params: { did: peer.users.tania.did },
      headers: { authorization },
    }),
  ),
)

const manage = (nsid: string, label: string, input: Of<Body>): Case =>
  scene(`com.atproto.admin.${nsid}: ${label}`, async (peer) => ({
    path: `com.atproto.admin.${nsid}`,
    verb: 'POST',
    headers: { authorization: adminHeader },
    body: await resolve(input, peer),
  }))

const see = (nsid: string, label: string, params: (peer: Peer) => Body): Case =>
  scene(`${label}: ${nsid}`, (peer) => ({
    path: `com.atproto.${nsid}`,
    query: params(peer),
    headers: nsid.startsWith('admin.') ? { authorization: adminHeader } : {},
  }))

const picture = ({ users, records }: Peer) => ({
  uri: `at://${users.alice.did}/${POST}/${keyAt(10)}`,
  cid: records[keyAt(10)],
})
const subjects = {
  account: ({ users }: Peer) => ({ $type: 'com.atproto.admin.defs#repoRef', did: users.eve.did }),
  record: (peer: Peer) => ({ $type: 'com.atproto.repo.strongRef', ...picture(peer) }),
  nobody: () => ({
    $type: 'com.atproto.admin.defs#repoRef',
    did: 'did:plc:aaaaaaaaaaaaaaaaaaaaaaaa',
  }),
  blob: ({ users, blob }: Peer) => ({
    $type: 'com.atproto.admin.defs#repoBlobRef',
    did: users.alice.did,
    cid: blob,
  }),
}
const judge = (kind: keyof typeof subjects, label: string, more: Body) =>
  manage('updateSubjectStatus', `${kind}, ${label}`, (peer) => ({ subject: subjects[kind](peer), ...more }))

/** What strangers and the operator see of what is taken down. */
const sights = (label: string): Case[] => [
  see('repo.getRecord', label, ({ users }) => ({
    repo: users.alice.did,
    collection: POST,
    rkey: keyAt(10),
  })),
  see('repo.listRecords', label, ({ users }) => ({ repo: users.alice.did, collection: POST, limit: 3 })),
  see('sync.getRecord', label, ({ users }) => ({
    did: users.alice.did,
    collection: POST,
    rkey: keyAt(10),
  })),
  see('sync.getBlob', label, ({ users, blob }) => ({ did: users.alice.did, cid: blob })),
  see('sync.listBlobs', label, ({ users }) => ({ did: users.alice.did })),
  see('sync.getRepoStatus', label, ({ users }) => ({ did: users.eve.did })),
  see('repo.describeRepo', label, ({ users }) => ({ repo: users.eve.did })),
  see('sync.getLatestCommit', label, ({ users }) => ({ did: users.eve.did })),
  see('admin.getAccountInfo', label, ({ users }) => ({ did: users.eve.did })),
  see('admin.getSubjectStatus', `${label}, account`, ({ users }) => ({ did: users.eve.did })),
  see('admin.getSubjectStatus', `${label}, record`, (peer) => ({ uri: picture(peer).uri })),
  see('admin.getSubjectStatus', `${label}, blob`, ({ users, blob }) => ({
    did: users.alice.did,
    blob,
  })),
]

/** Takedowns and their end, accounts changed and deleted for good. */
export const judging: readonly Case[] = [
  ...sights('before'),
  judge('record', 'down', { takedown: { applied: true, ref: 'a' } }),
  judge('blob', 'down', { takedown: { applied: true, ref: 'b' } }),
  judge('account', 'down', { takedown: { applied: true, ref: 'c' } }),
  ...sights('down'),
  judge('account', 'down again, without a reason', { takedown: { applied: true } }),
  judge('account', 'deactivated while down', { deactivated: { applied: true } }),
  ...sights('down and deactivated'),
  judge('record', 'up', { takedown: { applied: false } }),
  judge('blob', 'up', { takedown: { applied: false } }),
  judge('account', 'up', { takedown: { applied: false } }),
  judge('account', 'active', { deactivated: { applied: false } }),
  ...sights('up'),
  judge('record', 'deactivated', { deactivated: { applied: true } }),
  judge('account', 'nothing', {}),
  judge('nobody', 'down', { takedown: { applied: true } }),
  manage('updateSubjectStatus', 'a subject of an unknown kind', {
    subject: { $type: 'com.example.subject' },
    takedown: { applied: true },
  }),
  manage('updateAccountHandle', 'a new one', ({ users }) => ({
    did: users.eve.did,
    handle: 'eve-there.test',
  })),
  manage('updateAccountHandle', 'another’s', ({ users }) => ({
    did: users.eve.did,
    handle: 'alice-here.test',
  })),
  see('identity.resolveHandle', 'the new handle', () => ({ handle: 'eve-there.test' })),
  manage('updateAccountEmail', 'a new one', ({ users }) => ({
    account: users.eve.did,
    email: 'EVE.new@mail.example',
  })),
  manage('updateAccountPassword', 'of nobody', { did: 'did:plc:aaaaaaaaaaaaaaaaaaaaaaaa', password: 'x' }),
  manage('updateAccountPassword', 'a new one', ({ users }) => ({ did: users.eve.did, password: 'new' })),
  manage('disableAccountInvites', 'eve’s', ({ users }) => ({ account: users.eve.did })),
  see('admin.getAccountInfo', 'changed', ({ users }) => ({ did: users.eve.did })),
  manage('deleteAccount', 'finn', ({ users }) => ({ did: users.finn.did })),
  manage('deleteAccount', 'finn again', ({ users }) => ({ did: users.finn.did })),
  see('admin.getAccountInfo', 'deleted', ({ users }) => ({ did: users.finn.did })),
  see('repo.describeRepo', 'deleted', ({ users }) => ({ repo: users.finn.did })),
  see('sync.getRepoStatus', 'deleted', ({ users }) => ({ did: users.finn.did })),
  see('identity.resolveHandle', 'deleted', () => ({ handle: 'finn-here.test' })),
]
