/**
 * Every method, asked for by apps that were allowed more and less: what they are refused, as
 * `@atproto/pds` refuses it.
 */
import type { OAuthSession } from '@atproto/oauth-client-node'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { appViewEndpoints, endpoints } from '../../../pds/xrpc/index.ts'
import { askThrough, loopbackApp, procedure, signInToApp } from '../../support/oauth.ts'
import { post } from '../../support/pds.ts'
import { type Side, type Sides, startSides } from '../../support/sides.ts'

/** What apps were allowed. */
const SCOPES = {
  nothing: 'atproto',
  generic: 'atproto transition:generic',
  everythingOfOld: 'atproto transition:generic transition:chat.bsky transition:email',
  posts: 'atproto repo:app.bsky.feed.post?action=create&action=update',
  likesAndBlobs: 'atproto repo:app.bsky.feed.like blob:image/*',
  account: 'atproto account:email?action=manage account:repo?action=manage',
  handle: 'atproto identity:handle account:email',
  identity: 'atproto identity:*',
  timeline: 'atproto rpc:app.bsky.feed.getTimeline?aud=* rpc:app.bsky.feed.getFeed?aud=*',
  anything: 'atproto rpc:*?aud=did:web:nowhere.example%23bsky_appview',
} as const
type App = keyof typeof SCOPES

let sides: Sides
const sessions = new Map<string, OAuthSession>()

beforeAll(async () => {
  sides = await startSides()
  sides.answerWith('com.atproto.moderation.createReport', ({ user }) => ({
    body: {
      id: 1,
      reasonType: 'com.atproto.moderation.defs#reasonSpam',
      subject: { $type: 'com.atproto.admin.defs#repoRef', did: user.did },
      reportedBy: user.did,
      createdAt: new Date().toISOString(),
    },
  }))
  const scope = [...new Set(Object.values(SCOPES).flatMap((text) => text.split(' ')))].join(' ')
  for (const side of [sides.ours, sides.theirs]) {
    for (const [app, wanted] of Object.entries(SCOPES)) {
      const client = loopbackApp(side, sides.plcUrl, scope)
      sessions.set(side.url + app, await signInToApp(client, side, side.user, { scope: wanted }))
    }
  }
})

afterAll(() => sides[Symbol.asyncDispose]())

type Request = readonly [path: string, init?: RequestInit]
const get =
  (nsid: string, parameters: Record<string, string> = {}) =>
  (): Request => [`/xrpc/${nsid}?${new URLSearchParams(parameters)}`]
const send = (nsid: string, input?: object, headers?: Record<string, string>) => (): Request => [
  `/xrpc/${nsid}`,
  input === undefined
    ? { method: 'POST', headers }
    : { ...procedure(input), headers: { 'content-type': 'application/json', ...headers } },
]

const record = post('through an app')
const like = {
  $type: 'app.bsky.feed.like',
  subject: {
    uri: 'at://did:plc:aaaaaaaaaaaaaaaaaaaaaaaa/app.bsky.feed.post/3kkkkkkkkkkkk',
    cid: 'bafyreia2xx2c53oaqnyn4byzn5lsaaoxlaxuxeyrofzphejqoxzlguzbvq',
  },
  createdAt: record.createdAt,
}
const ofRepo = (nsid: string, input: (did: string) => object) => (side: Side) =>
  send(nsid, { repo: side.user.did, ...input(side.user.did) })()
const ofDid =
  (nsid: string, more: Record<string, string> = {}) =>
  (side: Side) =>
    get(nsid, { did: side.user.did, ...more })()

/**
 * Every method that takes a person's credentials, asked so that nothing comes of it but an answer.
 */
const ASKED: Record<string, (side: Side) => Request> = {
  'com.atproto.identity.getRecommendedDidCredentials': get(
    'com.atproto.identity.getRecommendedDidCredentials',
  ),
  'com.atproto.identity.requestPlcOperationSignature': send(
    'com.atproto.identity.requestPlcOperationSignature',
  ),
  'com.atproto.identity.signPlcOperation': send('com.atproto.identity.signPlcOperation', {}),
  'com.atproto.identity.submitPlcOperation': send('com.atproto.identity.submitPlcOperation', {
    operation: {},
  }),
  'com.atproto.identity.updateHandle': send('com.atproto.identity.updateHandle', { handle: 'a.test' }),
  'com.atproto.moderation.createReport': send('com.atproto.moderation.createReport', {
    reasonType: 'com.atproto.moderation.defs#reasonSpam',
    subject: { $type: 'com.atproto.admin.defs#repoRef', did: 'did:plc:aaaaaaaaaaaaaaaaaaaaaaaa' },
  }),
  'com.atproto.repo.applyWrites, a post': ofRepo('com.atproto.repo.applyWrites', () => ({
    writes: [
      { $type: 'com.atproto.repo.applyWrites#create', collection: 'app.bsky.feed.post', value: record },
    ],
  })),
  'com.atproto.repo.applyWrites, a post and a like': ofRepo('com.atproto.repo.applyWrites', () => ({
    writes: [
      { $type: 'com.atproto.repo.applyWrites#create', collection: 'app.bsky.feed.post', value: record },
      { $type: 'com.atproto.repo.applyWrites#create', collection: 'app.bsky.feed.like', value: like },
    ],
  })),
  'com.atproto.repo.applyWrites, a deletion': ofRepo('com.atproto.repo.applyWrites', () => ({
    writes: [
      { $type: 'com.atproto.repo.applyWrites#delete', collection: 'app.bsky.feed.post', rkey: 'none' },
    ],
    swapCommit: 'bafyreia2xx2c53oaqnyn4byzn5lsaaoxlaxuxeyrofzphejqoxzlguzbvq',
  })),
  'com.atproto.repo.createRecord': ofRepo('com.atproto.repo.createRecord', () => ({
    collection: 'app.bsky.feed.post',
    record,
  })),
  'com.atproto.repo.putRecord': ofRepo('com.atproto.repo.putRecord', () => ({
    collection: 'app.bsky.feed.post',
    rkey: '3kkkkkkkkkkkk',
    record,
  })),
  'com.atproto.repo.deleteRecord': ofRepo('com.atproto.repo.deleteRecord', () => ({
    collection: 'app.bsky.feed.like',
    rkey: '3kkkkkkkkkkkk',
  })),
  'com.atproto.repo.importRepo': () => [
    '/xrpc/com.atproto.repo.importRepo',
    { method: 'POST', headers: { 'content-type': 'application/vnd.ipld.car' }, body: 'no archive' },
  ],
  'com.atproto.repo.listMissingBlobs': get('com.atproto.repo.listMissingBlobs'),
  'com.atproto.repo.uploadBlob, a picture': () => [
    '/xrpc/com.atproto.repo.uploadBlob',
    { method: 'POST', headers: { 'content-type': 'image/png' }, body: 'a picture' },
  ],
  'com.atproto.repo.uploadBlob, a text': () => [
    '/xrpc/com.atproto.repo.uploadBlob',
    { method: 'POST', headers: { 'content-type': 'text/plain' }, body: 'a text' },
  ],
  'com.atproto.server.checkAccountStatus': get('com.atproto.server.checkAccountStatus'),
  'com.atproto.server.confirmEmail': send('com.atproto.server.confirmEmail', {
    email: 'a@b.example',
    token: 'x',
  }),
  'com.atproto.server.createAppPassword': send('com.atproto.server.createAppPassword', { name: 'app' }),
  'com.atproto.server.deactivateAccount': send('com.atproto.server.deactivateAccount', {}),
  'com.atproto.server.getAccountInviteCodes': get('com.atproto.server.getAccountInviteCodes'),
  'com.atproto.server.getServiceAuth, for any method': get('com.atproto.server.getServiceAuth', {
    aud: 'did:web:nowhere.example',
  }),
  'com.atproto.server.getServiceAuth, for the timeline': get('com.atproto.server.getServiceAuth', {
    aud: 'did:web:nowhere.example#bsky_appview',
    lxm: 'app.bsky.feed.getTimeline',
  }),
  'com.atproto.server.getServiceAuth, for chats': get('com.atproto.server.getServiceAuth', {
    aud: 'did:web:nowhere.example',
    lxm: 'chat.bsky.convo.listConvos',
  }),
  'com.atproto.server.getServiceAuth, to move away': get('com.atproto.server.getServiceAuth', {
    aud: 'did:web:nowhere.example',
    lxm: 'com.atproto.server.createAccount',
  }),
  'com.atproto.server.getSession': get('com.atproto.server.getSession'),
  'com.atproto.server.listAppPasswords': get('com.atproto.server.listAppPasswords'),
  'com.atproto.server.requestEmailConfirmation': send('com.atproto.server.requestEmailConfirmation'),
  'com.atproto.server.requestEmailUpdate': send('com.atproto.server.requestEmailUpdate'),
  'com.atproto.server.revokeAppPassword': send('com.atproto.server.revokeAppPassword', { name: 'app' }),
  'com.atproto.server.updateEmail': send('com.atproto.server.updateEmail', { email: 'a@b.example' }),
  'com.atproto.sync.getBlocks': ofDid('com.atproto.sync.getBlocks', { cids: 'none' }),
  'com.atproto.sync.getLatestCommit': ofDid('com.atproto.sync.getLatestCommit'),
  'com.atproto.sync.getRecord': ofDid('com.atproto.sync.getRecord', {
    collection: 'app.bsky.feed.post',
    rkey: 'a',
  }),
  'com.atproto.sync.getRepo': ofDid('com.atproto.sync.getRepo'),
  'com.atproto.sync.listBlobs': ofDid('com.atproto.sync.listBlobs'),
  'com.atproto.sync.getBlob': ofDid('com.atproto.sync.getBlob', { cid: 'none' }),
  'com.atproto.sync.getCheckout': ofDid('com.atproto.sync.getCheckout'),
  'com.atproto.sync.getHead': ofDid('com.atproto.sync.getHead'),
  'com.atproto.temp.checkSignupQueue': get('com.atproto.temp.checkSignupQueue'),
  'app.bsky.actor.getPreferences': get('app.bsky.actor.getPreferences'),
  'app.bsky.actor.putPreferences': send('app.bsky.actor.putPreferences', { preferences: [] }),
  'app.bsky.actor.getProfile': (side) => get('app.bsky.actor.getProfile', { actor: side.user.did })(),
  'app.bsky.actor.getProfiles': (side) => get('app.bsky.actor.getProfiles', { actors: side.user.did })(),
  'app.bsky.feed.getActorLikes': (side) => get('app.bsky.feed.getActorLikes', { actor: side.user.did })(),
  'app.bsky.feed.getAuthorFeed': (side) => get('app.bsky.feed.getAuthorFeed', { actor: side.user.did })(),
  'app.bsky.feed.getFeed': get('app.bsky.feed.getFeed', {
    feed: 'at://did:plc:aaaaaaaaaaaaaaaaaaaaaaaa/app.bsky.feed.generator/a',
  }),
  'app.bsky.feed.getPostThread': get('app.bsky.feed.getPostThread', {
    uri: 'at://did:plc:aaaaaaaaaaaaaaaaaaaaaaaa/app.bsky.feed.post/a',
  }),
  'app.bsky.feed.getTimeline': get('app.bsky.feed.getTimeline'),
  'app.bsky.notification.registerPush': (side) => registration('registerPush', side),
  'app.bsky.notification.unregisterPush': (side) => registration('unregisterPush', side),
  'a proxied method': get('app.bsky.actor.getSuggestions'),
  'a proxied method, for another service': ({ services }) => [
    '/xrpc/com.example.ask',
    { headers: { 'atproto-proxy': `${services.did}#other` } },
  ],
  'a proxied chat': ({ services }) => [
    '/xrpc/chat.bsky.convo.listConvos',
    { headers: { 'atproto-proxy': `${services.did}#other` } },
  ],
  'a protected method, for another service': ({ services }) => [
    '/xrpc/com.atproto.admin.sendEmail',
    { ...procedure({}), headers: { 'atproto-proxy': `${services.did}#other` } },
  ],
}

function registration(method: string, { services }: Side): Request {
  const input = { serviceDid: services.did, token: 't', platform: 'web', appId: 'a' }
  return send(`app.bsky.notification.${method}`, input)()
}

/** What is asked so that it fails once it is let through; how is another test's. */
const FAILS = ['com.atproto.repo.importRepo', 'app.bsky.feed.getFeed']

/** What a PDS says to an app, without what differs on every host. */
async function told(side: Side, app: App, name: string) {
  const session = sessions.get(side.url + app) as OAuthSession
  const { status, body } = await askThrough(session, ...(ASKED[name] as (typeof ASKED)[string])(side))
  if (status !== 403 && FAILS.includes(name)) return 'let through'
  if (status < 400) return { status }
  const text = JSON.stringify(body).replaceAll(side.services.did, 'SERVICES').replaceAll(side.user.did, 'DID')
  return { status, body: status === 403 ? text : (JSON.parse(text) as { error?: string }).error }
}

describe.each(Object.keys(SCOPES) as App[])('an app that was allowed: %s', (app) => {
  test.each(Object.keys(ASKED))('%s', async (name) => {
    const [ours, theirs] = await Promise.all([told(sides.ours, app, name), told(sides.theirs, app, name)])
    expect(ours).toEqual(theirs)
  })
})

/**
 * Methods that apps may call here and not there; what they take is in `accounts.test.ts`. And one
 * that there is only here.
 */
const OURS = [
  'com.atproto.server.activateAccount',
  'com.atproto.server.requestAccountDelete',
  'com.atproto.identity.refreshIdentity',
]

test('no method that takes a person’s credentials is left out', () => {
  const methods = Object.entries({ ...endpoints, ...appViewEndpoints }).flatMap(([nsid, endpoint]) =>
    endpoint.permission === undefined ? [] : nsid,
  )
  const asked = new Set(Object.keys(ASKED).map((name) => name.split(',', 1)[0]))
  expect(methods.length).toBeGreaterThan(40)
  expect(methods.filter((nsid) => !asked.has(nsid) && !OURS.includes(nsid))).toEqual([])
})

const JSON_TYPE = { 'content-type': 'application/json' }

describe('the endpoints of OAuth', () => {
  test.each([
    '/.well-known/oauth-protected-resource',
    '/.well-known/oauth-authorization-server',
    '/.well-known/change-password',
    '/oauth/jwks',
    '/oauth/par',
    '/oauth/token',
    '/oauth/revoke',
    '/oauth/authorize',
    '/oauth/authorize?client_id=none',
    '/oauth/authorize/redirect',
    '/@atproto/oauth-provider/~api/device-sessions',
  ])('%s', async (path) => {
    for (const token of [null, 'full'] as const) {
      await sides.agree({ path, token, headers: { 'accept-language': 'en' } })
      await sides.agree({ path, token, method: 'POST', headers: JSON_TYPE, body: '{}' })
      const body = JSON.stringify({ client_id: 'http://localhost', grant_type: 'refresh_token', token: 'a' })
      await sides.agree({ path, token, method: 'POST', headers: JSON_TYPE, body })
      await sides.agree({ path, token, method: 'PUT', headers: JSON_TYPE, body })
    }
  })
})

test('apps with the email scope get the address', async () => {
  const session = async (app: App) =>
    (await askThrough(sessions.get(sides.ours.url + app)!, '/xrpc/com.atproto.server.getSession')).body
  expect(await session('everythingOfOld')).toHaveProperty('email', 'ann@mail.example')
  expect(await session('handle')).toHaveProperty('email')
  expect(await session('generic')).not.toHaveProperty('email')
})
