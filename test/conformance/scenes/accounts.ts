/** Accounts, sessions, handles, service tokens. */
import { PASSWORD } from '../../support/pds.ts'
import { type Case, methods } from '../cases.ts'
import { exchange } from '../exchange.ts'
import type { Peer } from '../peers.ts'
import { as, type Body, type Of, resolve, scene } from './scene.ts'

const login = (label: string, body: Of<Body>): Case =>
  scene(`com.atproto.server.createSession: ${label}`, async (peer) => ({
    path: 'com.atproto.server.createSession',
    verb: 'POST',
    body: await resolve(body, peer),
  }))

const register = (label: string, body: Body): Case =>
  scene(`com.atproto.server.createAccount: ${label}`, {
    path: 'com.atproto.server.createAccount',
    verb: 'POST',
    body: { email: 'someone@mail.example', password: PASSWORD, handle: 'someone.test', ...body },
  })

const rename = (label: string, handle: string): Case =>
  scene(`com.atproto.identity.updateHandle: ${label}`, (peer) => ({
    path: 'com.atproto.identity.updateHandle',
    verb: 'POST',
    body: { handle },
    headers: as('carol')(peer),
  }))

const vouch = (label: string, params: () => Body, scope?: string): Case =>
  scene(`com.atproto.server.getServiceAuth: ${label}`, async (peer) => ({
    path: 'com.atproto.server.getServiceAuth',
    query: params(),
    headers: { authorization: `Bearer ${await peer.token('bob', scope ? { scope } : {})}` },
  }))
const inSeconds = (seconds: number) => Math.floor(Date.now() / 1000) + seconds
const aud = 'did:web:feeds.example'

/** Accounts, sessions, handles, service tokens. */
export const accounts: readonly Case[] = [
  register('a new one', {}),
  register('the same address', { handle: 'another.test' }),
  register('the same address in capitals', { handle: 'another.test', email: 'SOMEONE@mail.example' }),
  register('the same handle in capitals', { handle: 'SOMEONE.test', email: 'o@mail.example' }),
  register('capitals', { handle: 'CAPitals.test', email: 'Capitals@Mail.Example' }),
  register('no address', { handle: 'o1.test', email: undefined }),
  register('an address that is none', { handle: 'o-o.test', email: 'x' }),
  register('an address to throw away', { handle: 'o-o.test', email: 'x@mailinator.com' }),
  register('no password', { handle: 'no-password.test', email: 'np@mail.example', password: undefined }),
  register('an empty password', { handle: 'empty-pass.test', email: 'ep@mail.example', password: '' }),
  register('a long password', {
    handle: 'long-pass.test',
    email: 'lp@mail.example',
    password: 'x'.repeat(257),
  }),
  ...[
    'ab.test',
    'a.test',
    `${'a'.repeat(19)}.test`,
    'a.b.test',
    'admin.test',
    'a_b.test',
    'abc.example.com',
    'abc.invalid',
    'abc.local',
    'abc',
    '',
    'abc.TEST.',
    '-abc.test',
    'äbc.test',
    'about.test',
    'pds.test',
    'barackobama.test',
    'xn--abc.test',
  ].map((handle, n) => register(`handle "${handle}"`, { handle, email: `h${n}@mail.example` })),
  register('a plcOp', { handle: 'plcop.test', email: 'p@mail.example', plcOp: {} }),
  register('a DID', {
    handle: 'bring.test',
    email: 'p@mail.example',
    did: 'did:plc:aaaaaaaaaaaaaaaaaaaaaaaa',
  }),
  register('an invite code', { handle: 'invited.test', email: 'inv@mail.example', inviteCode: 'x' }),
  register('a recovery key', {
    handle: 'recover.test',
    email: 'rec@mail.example',
    recoveryKey: 'did:key:zQ3shokFTS3brHcDQrn82RUDfCZESWL1ZdCEJwekUDPQiYBme',
  }),
  register('a recovery key that is none', {
    handle: 'recover2.test',
    email: 'rec2@mail.example',
    recoveryKey: 'x',
  }),
  login('by handle', { identifier: 'someone.test', password: PASSWORD }),
  login('by address in capitals', { identifier: 'SOMEONE@Mail.example', password: PASSWORD }),
  login('by DID', ({ users }) => ({ identifier: users.alice.did, password: PASSWORD })),
  login('by handle in capitals', { identifier: 'ALICE-here.test', password: PASSWORD }),
  login('with an @', { identifier: '@alice-here.test', password: PASSWORD }),
  login('a wrong password', { identifier: 'alice-here.test', password: 'x' }),
  login('nobody', { identifier: 'nobody-here.test', password: PASSWORD }),
  login('no password', { identifier: 'no-password.test', password: '' }),
  login('one who is deactivated', { identifier: 'dora-here.test', password: PASSWORD }),
  login('one who was taken down', { identifier: 'tania-here.test', password: PASSWORD }),
  login('one who was taken down and may', {
    identifier: 'tania-here.test',
    password: PASSWORD,
    allowTakendown: true,
  }),
  login('one who was not taken down and might', {
    identifier: 'alice-here.test',
    password: PASSWORD,
    allowTakendown: true,
  }),
  rename('the same', 'carol-here.test'),
  rename('another', 'carol-there.test'),
  rename('in capitals', 'CAROL-here.test'),
  rename('of another', 'alice-here.test'),
  rename('reserved', 'admin.test'),
  rename('too short', 'ab.test'),
  rename('too long', `${'a'.repeat(19)}.test`),
  rename('with a dot', 'a.b.test'),
  rename('no TLD', 'abc.invalid'),
  scene('carol after that', { path: 'com.atproto.repo.describeRepo', query: { repo: 'carol-here.test' } }),
  vouch('no method', () => ({ aud })),
  vouch('a service', () => ({ aud: `${aud}#bsky_fg`, lxm: 'app.bsky.feed.getFeedSkeleton' })),
  vouch('for a minute without a method', () => ({ aud, exp: inSeconds(50) })),
  vouch('for ten minutes without a method', () => ({ aud, exp: inSeconds(600) })),
  vouch('for ten minutes', () => ({ aud, exp: inSeconds(600), lxm: 'com.example.method' })),
  vouch('for two hours', () => ({ aud, exp: inSeconds(7200), lxm: 'com.example.method' })),
  vouch('in the past', () => ({ aud, exp: inSeconds(-10) })),
  vouch('a protected method', () => ({ aud, lxm: 'com.atproto.identity.updateHandle' })),
  ...[
    'did:plc:aaaaaaaaaaaaaaaaaaaaaaaa',
    'did:plc:aaa',
    'did:web:a.b:c',
    'did:web:localhost%3A3000',
    'did:web:localhost',
    'did:key:zQ3shokFTS3brHcDQrn82RUDfCZESWL1ZdCEJwekUDPQiYBme',
    `${aud}#`,
    `${aud}#a#b`,
    `${aud}?x`,
    'did:web:A.B',
  ].map((did) => vouch(`for ${did}`, () => ({ aud: did }))),
  ...[
    'com.atproto.access',
    'com.atproto.appPass',
    'com.atproto.appPassPrivileged',
    'com.atproto.takendown',
  ].flatMap((scope) =>
    [
      'app.bsky.feed.getFeedSkeleton',
      'chat.bsky.convo.getMessages',
      'com.atproto.server.createAccount',
      undefined,
    ].map((lxm) => vouch(`${lxm}, scope ${scope}`, () => (lxm ? { aud, lxm } : { aud }), scope)),
  ),
]

/**
 * For which of all methods there are service tokens, with the account's password and with an app's.
 */
export const vouching: readonly Case[] = methods.flatMap((lxm) =>
  ['com.atproto.access', 'com.atproto.appPass'].map((scope) =>
    vouch(`of all, ${lxm}, scope ${scope}`, () => ({ aud, lxm }), scope),
  ),
)

const leave = (label: string, body: Body): Case =>
  scene(`com.atproto.server.deleteAccount: ${label}`, ({ users }) => ({
    path: 'com.atproto.server.deleteAccount',
    verb: 'POST',
    body: { did: users.bob.did, password: PASSWORD, token: 'AAAAA-AAAAA', ...body },
  }))

/** Accounts that cannot be left, or moved here. */
export const leaving: readonly Case[] = [
  leave('a wrong code', {}),
  leave('a wrong password', { password: 'x' }),
  leave('no code', { token: '' }),
  ...(['moving', 'elsewhere', 'another method'] as const).map((voucher) =>
    scene(`com.atproto.server.createAccount: moving in by ${voucher}`, ({ users, vouchers }) => ({
      path: 'com.atproto.server.createAccount',
      verb: 'POST',
      headers: { authorization: `Bearer ${vouchers[voucher]}` },
      body: { did: users.alice.did, handle: 'alice-again.test', email: 'a2@mail.example', password: 'x' },
    })),
  ),
  scene('com.atproto.server.createAccount: another by moving', ({ users, vouchers }) => ({
    path: 'com.atproto.server.createAccount',
    verb: 'POST',
    headers: { authorization: `Bearer ${vouchers.moving}` },
    body: { did: users.bob.did, handle: 'bob-again.test', email: 'b2@mail.example', password: 'x' },
  })),
  scene('com.atproto.server.requestPasswordReset: nobody', {
    path: 'com.atproto.server.requestPasswordReset',
    verb: 'POST',
    body: { email: 'nobody@mail.example' },
  }),
]

/** A session's life: what one token gave, the next calls use. */
export function sessionLife(): readonly Case[] {
  const sessions = new Map<Peer, { access: string; refresh: string }>()
  const step = (
    label: string,
    method: 'refreshSession' | 'deleteSession' | 'getSession',
    token: 'first' | 'second',
    kind: 'access' | 'refresh',
  ): Case =>
    scene(`a session: ${label}`, async (peer) => {
      const first = peer.users.alice
      if (token === 'second' && !sessions.has(peer)) {
        const { body } = await exchange(peer.url, {
          path: 'com.atproto.server.refreshSession',
          verb: 'POST',
          headers: { authorization: `Bearer ${first.refresh}` },
        })
        const { accessJwt, refreshJwt } = JSON.parse(body.toString())
        sessions.set(peer, { access: accessJwt, refresh: refreshJwt })
      }
      const session = token === 'first' ? first : sessions.get(peer)!
      return {
        path: `com.atproto.server.${method}`,
        verb: method === 'getSession' ? 'GET' : 'POST',
        headers: { authorization: `Bearer ${session[kind]}` },
      }
    })
  return [
    step('refreshed', 'refreshSession', 'first', 'refresh'),
    step('refreshed again', 'refreshSession', 'first', 'refresh'),
    step('its successor', 'getSession', 'second', 'access'),
    step('its successor refreshed', 'refreshSession', 'second', 'refresh'),
    step('ended', 'deleteSession', 'second', 'refresh'),
    step('ended again', 'deleteSession', 'second', 'refresh'),
    step('refreshed after its end', 'refreshSession', 'second', 'refresh'),
    step('used after its end', 'getSession', 'second', 'access'),
    step('the first, after', 'refreshSession', 'first', 'refresh'),
  ]
}
