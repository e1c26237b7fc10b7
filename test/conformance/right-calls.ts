/**
 * A right call of each method that is compared; those that change something can be made again and
 * again.
 */
import { PASSWORD } from '../support/pds.ts'
import { FEED, keyAt, type Peer, POST, post, type UserName } from './peers.ts'

/** Who may call a method: whose credentials a right call has. */
export type Access = 'anybody' | 'access' | 'optional' | 'refresh' | 'operator'

/** A right call. */
export interface Right {
  readonly access: Access
  readonly user?: UserName
  readonly params?: (peer: Peer) => Record<string, unknown>
  readonly input?: (peer: Peer) => Record<string, unknown>
  /** For methods that take other bodies than JSON, with their type. */
  readonly bytes?: readonly [type: string, body: Buffer]
  /**
   * Whether calls of it by others than its user change what those are: they are made what they were
   * again.
   */
  readonly disrupts?: true
  /** Whether what it does to an account cannot be undone: it is called for nobody in particular. */
  readonly isFinal?: true
}

/** Alice's records are read, bob's are written. */
const alice = (peer: Peer) => ({ did: peer.users.alice.did })
const aliceActor = (peer: Peer) => ({ actor: peer.users.alice.did })
const write = (more: object) => (peer: Peer) => ({ repo: peer.users.bob.did, collection: POST, ...more })
const eve = (more: object) => (peer: Peer) => ({ did: peer.users.eve.did, ...more })
const eveAccount =
  (more: object = {}) =>
  (peer: Peer) => ({ account: peer.users.eve.did, ...more })

/** Too long for either server to spend a third of a second on. */
const LONG_PASSWORD = 'x'.repeat(600)
/** A code that nobody was sent. */
const NO_CODE = 'AAAAA-AAAAA'
const NOBODY = 'did:plc:aaaaaaaaaaaaaaaaaaaaaaaa'
const push = ({ services }: Peer) => ({
  serviceDid: services.did,
  token: 'token',
  platform: 'ios',
  appId: 'app.example',
})

export const rightCalls: Readonly<Record<string, Right>> = {
  'com.atproto.admin.deleteAccount': { access: 'operator', input: () => ({ did: NOBODY }), isFinal: true },
  'com.atproto.admin.disableAccountInvites': { access: 'operator', user: 'eve', input: eveAccount() },
  'com.atproto.admin.disableInviteCodes': {
    access: 'operator',
    input: ({ users }) => ({ codes: ['localhost-aaaaa-aaaaa'], accounts: [users.eve.did] }),
  },
  'com.atproto.admin.enableAccountInvites': { access: 'operator', user: 'eve', input: eveAccount() },
  'com.atproto.admin.getAccountInfo': { access: 'operator', params: alice },
  'com.atproto.admin.getAccountInfos': {
    access: 'operator',
    params: ({ users }) => ({ dids: [users.alice.did, users.dora.did, users.tania.did, NOBODY] }),
  },
  'com.atproto.admin.getInviteCodes': { access: 'operator' },
  'com.atproto.admin.getSubjectStatus': { access: 'operator', params: alice },
  'com.atproto.admin.sendEmail': {
    access: 'operator',
    user: 'eve',
    input: ({ users }) => ({
      recipientDid: users.eve.did,
      senderDid: users.alice.did,
      subject: 'A letter',
      content: 'What it says.',
    }),
  },
  'com.atproto.admin.updateAccountEmail': {
    access: 'operator',
    user: 'eve',
    input: eveAccount({ email: 'eve@mail.example' }),
  },
  'com.atproto.admin.updateAccountHandle': {
    access: 'operator',
    user: 'eve',
    input: eve({ handle: 'eve-here.test' }),
  },
  'com.atproto.admin.updateAccountPassword': {
    access: 'operator',
    user: 'eve',
    input: eve({ password: LONG_PASSWORD }),
  },
  'com.atproto.admin.updateSubjectStatus': {
    access: 'operator',
    user: 'eve',
    input: ({ users }) => ({
      subject: { $type: 'com.atproto.admin.defs#repoRef', did: users.eve.did },
      takedown: { applied: false },
    }),
    disrupts: true,
  },
  'com.atproto.identity.getRecommendedDidCredentials': { access: 'access', user: 'bob' },
  'com.atproto.identity.requestPlcOperationSignature': { access: 'access', user: 'bob' },
  'com.atproto.identity.resolveHandle': { access: 'anybody', params: () => ({ handle: 'alice-here.test' }) },
  'com.atproto.identity.signPlcOperation': {
    access: 'access',
    user: 'bob',
    input: () => ({ token: NO_CODE }),
  },
  'com.atproto.identity.submitPlcOperation': {
    access: 'access',
    user: 'bob',
    input: () => ({ operation: { type: 'plc_operation' } }),
  },
  'com.atproto.identity.updateHandle': {
    access: 'access',
    user: 'empty',
    input: () => ({ handle: 'empty-here.test' }),
  },
  'com.atproto.moderation.createReport': {
    access: 'access',
    user: 'bob',
    input: ({ users }) => ({
      reasonType: 'com.atproto.moderation.defs#reasonSpam',
      subject: { $type: 'com.atproto.admin.defs#repoRef', did: users.alice.did },
    }),
  },
  'com.atproto.repo.applyWrites': {
    access: 'access',
    user: 'bob',
    input: ({ users }) => ({
      repo: users.bob.did,
      writes: [{ $type: 'com.atproto.repo.applyWrites#create', collection: POST, value: post('applied') }],
    }),
  },
  'com.atproto.repo.createRecord': {
    access: 'access',
    user: 'bob',
    input: write({ record: post('created') }),
  },
  'com.atproto.repo.deleteRecord': { access: 'access', user: 'bob', input: write({ rkey: '3lzzzzzzzzzz2' }) },
  'com.atproto.repo.describeRepo': { access: 'anybody', params: ({ users }) => ({ repo: users.alice.did }) },
  'com.atproto.repo.getRecord': {
    access: 'anybody',
    params: ({ users }) => ({ repo: users.alice.did, collection: POST, rkey: keyAt(3) }),
  },
  // Right ones are in the tests of imports: this gets as far as the archive's header.
  'com.atproto.repo.importRepo': {
    access: 'access',
    user: 'eve',
    bytes: ['application/vnd.ipld.car', Buffer.from('not an archive')],
  },
  'com.atproto.repo.listMissingBlobs': { access: 'access', user: 'bob' },
  'com.atproto.repo.listRecords': {
    access: 'anybody',
    params: ({ users }) => ({ repo: users.alice.did, collection: POST }),
  },
  'com.atproto.repo.putRecord': {
    access: 'access',
    user: 'bob',
    input: write({ rkey: keyAt(1), record: post('put') }),
  },
  'com.atproto.repo.uploadBlob': {
    access: 'access',
    user: 'bob',
    bytes: ['text/plain', Buffer.from('a blob')],
  },
  'com.atproto.server.activateAccount': { access: 'access', user: 'eve', disrupts: true },
  'com.atproto.server.checkAccountStatus': { access: 'access', user: 'alice' },
  'com.atproto.server.confirmEmail': {
    access: 'access',
    user: 'eve',
    input: () => ({ email: 'eve@mail.example', token: NO_CODE }),
  },
  'com.atproto.server.createAccount': {
    access: 'anybody',
    // A right one would be another account each time: this gets as far as the handle that is taken.
    input: () => ({ handle: 'alice-here.test', email: 'new@mail.example', password: PASSWORD }),
  },
  'com.atproto.server.createAppPassword': {
    access: 'access',
    user: 'eve',
    input: () => ({ name: 'an app' }),
  },
  'com.atproto.server.createInviteCode': { access: 'operator', input: () => ({ useCount: 1 }) },
  'com.atproto.server.createInviteCodes': {
    access: 'operator',
    input: () => ({ codeCount: 2, useCount: 1 }),
  },
  'com.atproto.server.createSession': {
    access: 'anybody',
    input: () => ({ identifier: 'alice-here.test', password: LONG_PASSWORD }),
  },
  'com.atproto.server.deactivateAccount': {
    access: 'access',
    user: 'eve',
    input: () => ({}),
    disrupts: true,
  },
  'com.atproto.server.deleteAccount': {
    access: 'anybody',
    input: () => ({ did: NOBODY, password: PASSWORD, token: NO_CODE }),
    isFinal: true,
  },
  'com.atproto.server.deleteSession': { access: 'refresh', user: 'bob' },
  'com.atproto.server.describeServer': { access: 'anybody' },
  'com.atproto.server.getAccountInviteCodes': { access: 'access', user: 'eve' },
  'com.atproto.server.getServiceAuth': {
    access: 'access',
    user: 'bob',
    params: () => ({ aud: 'did:web:feeds.example', lxm: 'app.bsky.feed.getFeedSkeleton' }),
  },
  'com.atproto.server.getSession': { access: 'access', user: 'bob' },
  'com.atproto.server.listAppPasswords': { access: 'access', user: 'eve' },
  'com.atproto.server.refreshSession': { access: 'refresh', user: 'empty' },
  'com.atproto.server.requestAccountDelete': { access: 'access', user: 'eve' },
  'com.atproto.server.requestEmailConfirmation': { access: 'access', user: 'eve' },
  'com.atproto.server.requestEmailUpdate': { access: 'access', user: 'eve' },
  'com.atproto.server.requestPasswordReset': {
    access: 'anybody',
    input: () => ({ email: 'eve@mail.example' }),
  },
  'com.atproto.server.reserveSigningKey': {
    access: 'anybody',
    input: () => ({ did: 'did:web:new.example' }),
  },
  'com.atproto.server.resetPassword': {
    access: 'anybody',
    input: () => ({ token: NO_CODE, password: PASSWORD }),
  },
  'com.atproto.server.revokeAppPassword': {
    access: 'access',
    user: 'eve',
    input: () => ({ name: 'an app that is not there' }),
  },
  'com.atproto.server.updateEmail': {
    access: 'access',
    user: 'eve',
    input: () => ({ email: 'eve@mail.example' }),
  },
  'com.atproto.sync.getBlob': { access: 'optional', params: (peer) => ({ ...alice(peer), cid: peer.blob }) },
  'com.atproto.sync.getBlocks': {
    access: 'optional',
    params: (peer) => ({ ...alice(peer), cids: [peer.commit, peer.records[keyAt(2)]] }),
  },
  'com.atproto.sync.getCheckout': { access: 'optional', params: alice },
  'com.atproto.sync.getHead': { access: 'optional', params: alice },
  'com.atproto.sync.getLatestCommit': { access: 'optional', params: alice },
  'com.atproto.sync.getRecord': {
    access: 'optional',
    params: (peer) => ({ ...alice(peer), collection: POST, rkey: keyAt(4) }),
  },
  'com.atproto.sync.getRepo': { access: 'optional', params: alice },
  'com.atproto.sync.getRepoStatus': { access: 'anybody', params: alice },
  'com.atproto.sync.listBlobs': { access: 'optional', params: alice },
  'com.atproto.sync.listRepos': { access: 'anybody' },
  'com.atproto.temp.checkSignupQueue': { access: 'access', user: 'eve' },
  'app.bsky.actor.getPreferences': { access: 'access', user: 'eve' },
  'app.bsky.actor.getProfile': { access: 'access', params: aliceActor },
  'app.bsky.actor.getProfiles': {
    access: 'access',
    params: ({ users }) => ({ actors: [users.alice.did, users.bob.did] }),
  },
  'app.bsky.actor.putPreferences': {
    access: 'access',
    user: 'eve',
    input: () => ({
      preferences: [{ $type: 'app.bsky.actor.defs#adultContentPref', enabled: true }],
    }),
  },
  'app.bsky.feed.getActorLikes': { access: 'access', params: aliceActor },
  'app.bsky.feed.getAuthorFeed': { access: 'access', params: aliceActor },
  'app.bsky.feed.getFeed': { access: 'access', params: () => ({ feed: FEED }) },
  'app.bsky.feed.getPostThread': {
    access: 'access',
    params: ({ users }) => ({ uri: `at://${users.alice.did}/${POST}/${keyAt(1)}` }),
  },
  'app.bsky.feed.getTimeline': { access: 'access' },
  'app.bsky.notification.registerPush': { access: 'access', user: 'eve', input: push },
  'app.bsky.notification.unregisterPush': { access: 'access', user: 'eve', input: push },
}

/** The methods that are compared. */
export const nsids = Object.keys(rightCalls)
