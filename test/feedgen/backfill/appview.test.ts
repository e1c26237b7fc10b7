/** What an AppView says of authors: asked over HTTP, from one that answers as told. */
import type { ServerResponse } from 'node:http'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { guardedFetch } from '#platform/fetch.ts'
import type { AccountFacts } from '../../../feedgen/algorithm/facts.ts'
import { ACCOUNTS_WAITING_MAX, Accounts } from '../../../feedgen/backfill/account-facts.ts'
import { type AppViewStandIn, startAppView } from '../../support/app-view.ts'
import { eventually } from '../support.ts'

const GET_PROFILES = 'app.bsky.actor.getProfiles'
const HOUR_MS = 3_600_000
const JOINED = '2026-01-02T03:04:05.000Z'

let appView: AppViewStandIn
let accounts: Accounts
/** What was kept, in place of an index. */
let kept: Map<string, AccountFacts>

const did = (n: number) => `did:plc:${'abcdefghijklmnopqrstuv'}${String(n).padStart(2, 'x')}`
const dids = (count: number) => Array.from({ length: count }, (_, n) => did(n))
const profileOf = (did: string) => ({ did, handle: 'a.test', createdAt: JOINED, followersCount: 7 })
const facts = { createdAt: Date.parse(JOINED), followers: 7 }

/** The accounts that each request asked about. */
const asked = () =>
  appView.received.map(({ path }) => new URL(path, appView.url).searchParams.getAll('actors'))

/** Answers with what is made of the accounts that are asked about. */
function answer(make: (dids: string[], response: ServerResponse) => unknown): void {
  appView.answers.set(GET_PROFILES, ({ path }, response) => {
    const body = make(new URL(path, appView.url).searchParams.getAll('actors'), response)
    response.setHeader('content-type', 'application/json')
    response.end(typeof body === 'string' ? body : JSON.stringify(body))
  })
}

const profiles = (dids: readonly string[]) => ({ profiles: dids.map(profileOf) })

beforeEach(async () => {
  appView = await startAppView()
  kept = new Map()
  accounts = new Accounts({
    url: appView.url,
    fetch: guardedFetch({ allowPrivate: false, trusted: [appView.url] }),
    ageMsMax: 24 * HOUR_MS,
    pending: {
      accountFacts: async (dids) =>
        new Map(dids.flatMap((did) => (kept.has(did) ? [[did, kept.get(did) as AccountFacts]] : []))),
      keepAccountFacts: async (read) => {
        for (const [did, facts] of read) kept.set(did, facts)
      },
    },
  })
})
afterEach(async () => {
  await accounts[Symbol.asyncDispose]()
  await appView[Symbol.asyncDispose]()
})

test('the AppView is asked for 25 profiles at once, each once, and none that is fresh', async () => {
  answer(profiles)
  kept.set(did(0), { followers: 1, readAt: Date.now() })
  kept.set(did(1), { followers: 1, readAt: Date.now() - 25 * HOUR_MS })
  accounts.want(dids(40), 'served')
  accounts.want(dids(40), 'tried')
  await eventually(() => kept.size === 40)
  accounts.want(dids(40), 'served')
  await eventually(() => kept.get(did(1))?.followers === 7)
  expect(asked().map(({ length }) => length)).toEqual([24, 15])
  expect(asked().flat().sort()).toEqual(dids(40).slice(1).sort())
  expect(kept.get(did(0))).toMatchObject({ followers: 1 })
  expect(kept.get(did(39))).toMatchObject({ ...facts, readAt: expect.any(Number) })
})

test('an account that the AppView does not know, or describes invalidly, is stored as unknown', async () => {
  answer(([first, second, third]) => ({
    profiles: [
      profileOf(first as string),
      { did: second, createdAt: 'long ago', followersCount: -3 },
      { did: third, createdAt: 5, followersCount: '7' },
      null,
      'did:plc:text',
      { did: 5 },
      { ...profileOf(did(99)), did: did(99) },
    ],
  }))
  accounts.want(dids(4), 'served')
  await eventually(() => kept.size === 4)
  expect(kept.get(did(0))).toMatchObject(facts)
  for (const n of [1, 2, 3]) {
    expect(kept.get(did(n))?.createdAt).toBe(undefined)
    expect(kept.get(did(n))?.followers).toBe(undefined)
  }
})

test('an AppView request refused for one account is repeated without it', async () => {
  answer((dids, response) => {
    if (!dids.includes(did(3))) return profiles(dids)
    response.statusCode = 400
    return { error: 'InvalidRequest', message: 'actors must be valid' }
  })
  accounts.want(dids(6), 'served')
  await eventually(() => kept.size === 6)
  expect([...kept].filter(([, { followers }]) => followers === undefined).map(([did]) => did)).toEqual([
    did(3),
  ])
})

test('an AppView that is busy or failing is retried, and no account is lost', async () => {
  const ills = [429, 503]
  answer((dids, response) => {
    const ill = ills.shift()
    if (ill === undefined) return profiles(dids)
    response.statusCode = ill
    if (ill === 429) response.setHeader('retry-after', '1')
    return { error: 'Busy' }
  })
  accounts.want(dids(3), 'served')
  await eventually(() => kept.size === 3)
  expect(asked()).toHaveLength(3)
})

test('an account without a valid AppView response does not cost others theirs', async () => {
  answer((dids, response) => {
    if (!dids.includes(did(1))) return profiles(dids)
    if (appView.received.length % 2) return '<html>garbage'
    response.statusCode = 500
    return {}
  })
  accounts.want(dids(3), 'served')
  await eventually(() => kept.size === 2)
  accounts.want([did(9)], 'served')
  await eventually(() => kept.size === 3)
  expect([...kept.keys()].sort()).toEqual([did(0), did(2), did(9)].sort())
}, 30_000)

test('account facts for previews and for served feeds have bounded queues, each with its turn', async () => {
  const held = Promise.withResolvers<void>()
  appView.answers.set(GET_PROFILES, ({ path }, response) => {
    const body = profiles(new URL(path, appView.url).searchParams.getAll('actors'))
    void held.promise.then(() => response.end(JSON.stringify(body)))
  })
  const many = Array.from({ length: ACCOUNTS_WAITING_MAX * 2 }, (_, n) => `did:web:a${n}.test`)
  accounts.want(['did:web:first.test'], 'served')
  await eventually(() => asked().length === 1)
  accounts.want(['did:web:second.test'], 'served')
  await eventually(() => asked().length === 2)
  accounts.want(many, 'served')
  expect(accounts.waiting).toBe(ACCOUNTS_WAITING_MAX)
  accounts.want(['did:web:tried.test'], 'tried')
  // Two requests are under way, and no third.
  held.resolve()
  await eventually(() => kept.has('did:web:tried.test'))
  const turn = asked().findIndex((dids) => dids.includes('did:web:tried.test'))
  expect(turn).toBeLessThanOrEqual(3)
})
