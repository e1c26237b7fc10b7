import { readFileSync } from 'node:fs'
import path from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { appViewEndpoints, endpoints } from '../../pds/xrpc/index.ts'
import { root } from '../support/processes.ts'
import { Subscriber } from '../support/subscriber.ts'
import { Agreement } from './agreement.ts'
import { describeEvent } from './answers.ts'
import { authCases, declaredErrors, inputCases, paramCases, statusCases, transportCases } from './cases.ts'
import { deliberateDifferences } from './deliberate.ts'
import { exchange } from './exchange.ts'
import { type Pair, type Peer, startPair, THING } from './peers.ts'
import { nsids, rightCalls } from './right-calls.ts'
import { accounts, leaving, sessionLife, vouching } from './scenes/accounts.ts'
import { blobs } from './scenes/blobs.ts'
import { creating } from './scenes/creating.ts'
import { oauthPages } from './scenes/oauth.ts'
import { judging, operator } from './scenes/operating.ts'
import { pages, reading } from './scenes/reading.ts'
import { applying, pointing, putting } from './scenes/writing.ts'

const NOBODY = 'nobody'

/**
 * Declared errors that no request here meets: which test meets them, or that neither server gives
 * them.
 */
const elsewhere: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'com.atproto.server.createAccount': {
    UnresolvableDid: NOBODY,
    IncompatibleDidDoc: NOBODY,
  },
  'com.atproto.server.createSession': { AuthFactorTokenRequired: 'test/pds/accounts/emails.test.ts' },
  'com.atproto.server.deleteAccount': { ExpiredToken: 'test/pds/accounts/credentials/email-tokens.test.ts' },
  'com.atproto.server.deleteSession': { ExpiredToken: NOBODY },
  'com.atproto.server.getAccountInviteCodes': { DuplicateCreate: NOBODY },
  'com.atproto.server.listAppPasswords': { AccountTakedown: NOBODY },
  'com.atproto.server.resetPassword': { ExpiredToken: 'test/pds/accounts/credentials/email-tokens.test.ts' },
  'com.atproto.server.updateEmail': { TokenRequired: 'test/pds/accounts/emails.test.ts' },
  'com.atproto.sync.getBlob': { BlobNotFound: NOBODY, RepoSuspended: NOBODY },
  'com.atproto.sync.getBlocks': { BlockNotFound: NOBODY, RepoSuspended: NOBODY },
  'com.atproto.sync.getHead': { HeadNotFound: NOBODY },
  'com.atproto.sync.getLatestCommit': { RepoSuspended: NOBODY },
  'com.atproto.sync.getRecord': { RecordNotFound: NOBODY, RepoSuspended: NOBODY },
  'com.atproto.sync.getRepo': { RepoSuspended: NOBODY },
  'com.atproto.sync.listBlobs': { RepoSuspended: NOBODY },
  'app.bsky.feed.getActorLikes': { BlockedActor: 'the AppView', BlockedByActor: 'the AppView' },
  'app.bsky.feed.getAuthorFeed': { BlockedActor: 'the AppView', BlockedByActor: 'the AppView' },
  'app.bsky.feed.getFeed': { UnknownFeed: 'test/pds/proxy/views.test.ts' },
  'app.bsky.feed.getPostThread': { NotFound: 'test/pds/proxy/views.test.ts' },
}

let pair: Pair
let agreement: Agreement
beforeAll(async () => {
  pair = await startPair()
  agreement = new Agreement(pair, deliberateDifferences)
})
afterAll(() => pair?.[Symbol.asyncDispose]())

test('every method that is compared is served', () => {
  expect(new Set(nsids).difference(new Set(Object.keys({ ...endpoints, ...appViewEndpoints }))).size).toBe(0)
})

describe.each(nsids)('%s', (nsid) => {
  afterEach(() => (rightCalls[nsid]?.disrupts ? pair.restore() : undefined))
  test('params', () => agreement.check(paramCases(nsid)))
  test('input', () => agreement.check(inputCases(nsid)))
  test('transport', () => agreement.check(transportCases(nsid)))
  test('auth', () => agreement.check(authCases(nsid)))
  test('status', () => agreement.check(statusCases(nsid)))
})

test('creating records', () => agreement.check(creating))
test('records that point at something', () => agreement.check(pointing))
test('putting and deleting records', () => agreement.check(putting))
test('many writes at once', () => agreement.check(applying))
test('blobs', () => agreement.check(blobs))
test('pages and cursors', () => agreement.check(reading))
test('pages that are not XRPC, and methods that there are none of', () => agreement.check(pages))
test('the pages of OAuth', () => agreement.check(oauthPages))
test('accounts', () => agreement.check(accounts))
test('service tokens for every method', () => agreement.check(vouching))
test('accounts that stay where they are', () => agreement.check(leaving))
test('the life of a session', () => agreement.check(sessionLife()))
test('the operator’s password', () => agreement.check(operator))
test('what the operator does', () => agreement.check(judging))

describe('the firehose', () => {
  /** Writes a record of carol's that both servers get alike. */
  const nudge = ({ url, users }: Peer, rkey: string) =>
    exchange(url, {
      path: 'com.atproto.repo.createRecord',
      verb: 'POST',
      headers: { authorization: `Bearer ${users.carol.access}` },
      body: { repo: users.carol.did, collection: THING, rkey, record: {} },
    })

  /** Carol's events, as they are now. */
  async function eventsOfCarol(peer: Peer): Promise<unknown[]> {
    using subscriber = await Subscriber.connect(peer.url, 0)
    await nudge(peer, 'last')
    const isHers = (frame: Buffer) => frame.includes(peer.users.carol.did)
    await subscriber.until((frames) => frames.findLast(isHers)?.includes(`${THING}/last`) === true)
    return subscriber.frames.filter(isHers).map((frame) => describeEvent(frame, peer))
  }

  test('tells of the same history with the same blocks', async () => {
    const [ours, reference] = await Promise.all([pair.ours, pair.reference].map(eventsOfCarol))
    expect(ours!.length).toBeGreaterThan(100)
    expect(ours).toEqual(reference)
  })

  test('names each path once in a commit', async () => {
    using subscriber = await Subscriber.connect(pair.ours.url, 0)
    await nudge(pair.ours, 'once')
    await subscriber.until((frames) => frames.at(-1)?.includes(`${THING}/once`) === true)
    for (const event of subscriber.events) {
      if (event.kind !== 'commit') continue
      const paths = event.ops.map(({ path }) => path)
      expect(paths).toEqual([...new Set(paths)])
    }
  })

  const cursors = ['999999', '-1', '0', 'x', '1.5', '', '1e3', '0x1', ' 1']
  test.each(cursors)('begins the same at cursor "%s"', async (cursor) => {
    const beginning = async (peer: Peer) => {
      using subscriber = await Subscriber.connect(peer.url, encodeURIComponent(cursor))
      await nudge(peer, `cursor-${cursors.indexOf(cursor)}`)
      await subscriber.count(1)
      const [first] = subscriber.events
      return first?.kind === 'error' ? { error: first.error, ...(await subscriber.closed) } : first?.kind
    }
    const [ours, reference] = await Promise.all([pair.ours, pair.reference].map(beginning))
    expect(ours).toEqual(reference)
  })
})

test.each(nsids)('every error that %s declares was met', (nsid) => {
  const missing = declaredErrors(nsid).filter((name) => !agreement.errorsOf(nsid).has(name))
  expect(missing).toEqual(Object.keys(elsewhere[nsid] ?? {}))
})

test.each(Object.entries(elsewhere))('the other errors of %s are met elsewhere', (_, places) => {
  for (const [name, place] of Object.entries(places)) {
    if (place.startsWith('test/')) expect(readFileSync(path.join(root, place), 'utf8')).toContain(name)
  }
})

test('every difference that is meant is still there', () => {
  expect(agreement.unmet).toEqual([])
})
