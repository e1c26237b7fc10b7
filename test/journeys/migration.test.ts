/**
 * An account with a life behind it moves here from a running `@atproto/pds`, and on to another,
 * with the calls of the official client.
 */
import { createHash } from 'node:crypto'
import { AtpAgent, type BlobRef } from '@atproto/api'
import { DidResolver } from '@atproto/identity'
import { verifyRepoCar } from '@atproto/repo'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { RepoEvent } from '#protocol/frame.ts'
import { type AppViewStandIn, appViewEnv, startAppView } from '../support/app-view.ts'
import { type Host, moveAccount } from '../support/moving.ts'
import { PASSWORD, startPds } from '../support/pds.ts'
import { type PlcDirectory, startPlc } from '../support/plc.ts'
import { startReferencePds } from '../support/reference-pds.ts'
import { type MailServer, startMailServer } from '../support/smtp.ts'
import { Subscriber } from '../support/subscriber.ts'

const POSTS = 1_500
const LIKES = 300
const FOLLOWS = 200
const BLOBS = 100
const BATCH = 200
const COUNTS = { 'app.bsky.feed.post': POSTS, 'app.bsky.feed.like': LIKES, 'app.bsky.graph.follow': FOLLOWS }
const HANDLE = 'traveller.test'

const PREFERENCES = [
  { $type: 'app.bsky.actor.defs#adultContentPref', enabled: true },
  { $type: 'app.bsky.actor.defs#personalDetailsPref', birthDate: '1984-02-29T00:00:00.000Z' },
  {
    $type: 'app.bsky.actor.defs#savedFeedsPrefV2',
    items: [
      { $type: 'app.bsky.actor.defs#savedFeed', id: 'a', type: 'timeline', value: 'following', pinned: true },
    ],
  },
]

/** What a host tells of the birth date beside it. */
const AGE = {
  $type: 'app.bsky.actor.defs#declaredAgePref',
  isOverAge13: true,
  isOverAge16: true,
  isOverAge18: true,
}

/** One pixel. What follows after the end of the picture tells one from another. */
const PIXEL = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==',
  'base64',
)

let plc: PlcDirectory
let mails: MailServer
let services: AppViewStandIn
let identities: DidResolver

beforeAll(async () => {
  plc = await startPlc()
  mails = await startMailServer()
  services = await startAppView()
  identities = new DidResolver({ plcUrl: plc.url, fetch: globalThis.fetch })
})
afterAll(async () => {
  await mails?.[Symbol.asyncDispose]()
  await services?.[Symbol.asyncDispose]()
  await plc?.[Symbol.asyncDispose]()
})

test('an account moves in and on, with all that it has', { timeout: 400_000 }, async () => {
  const envOf = (did: string) => ({
    ...appViewEnv(services),
    PDS_SERVICE_DID: did,
    PDS_EMAIL_SMTP_URL: mails.url,
    PDS_EMAIL_FROM_ADDRESS: 'pds@mail.example',
  })
  const dids = ['did:web:one.example', 'did:web:atoll.example', 'did:web:two.example'] as const
  await using one = await startReferencePds(plc.url, envOf(dids[0]))
  await using atoll = await startPds({ plcUrl: plc.url, env: envOf(dids[1]) })
  await using two = await startReferencePds(plc.url, envOf(dids[2]))
  const [first, here, second] = [one, atoll, two].map(({ url }, n) => ({ url, did: dids[n]! }))

  const agent = new AtpAgent({ service: one.url })
  await agent.createAccount({ handle: HANDLE, email: 'traveller@mail.example', password: PASSWORD })
  const { did } = agent.session!
  const lived = await live(agent)
  expect(await whatIsAt(first!, did)).toEqual(lived)
  expect(await preferencesOf(agent)).toEqual([...PREFERENCES, AGE])

  let from = agent
  for (const to of [here!, second!]) {
    using firehose = await Subscriber.connect(to.url)
    const before = (await from.com.atproto.server.checkAccountStatus()).data
    const { agent: moved, statuses } = await moveAccount(from, to, { did, handle: HANDLE, mails })
    expect(statuses).toMatchObject({
      imported: {
        activated: false,
        validDid: false,
        indexedRecords: before.indexedRecords,
        expectedBlobs: BLOBS,
        importedBlobs: 0,
      },
      uploaded: { expectedBlobs: BLOBS, importedBlobs: BLOBS },
      named: { validDid: true },
      activated: { activated: true },
    })
    await firehose.until((frames) => frames.length >= 4)
    const events = () => firehose.events as RepoEvent[]
    expect(events().map(({ kind }) => kind)).toEqual(['identity', 'account', 'identity', 'sync'])
    expect(events()[1]).toMatchObject({ did, active: true })
    expect(events()[2]).toMatchObject({ did, handle: HANDLE })

    const { pds, handle, signingKey } = await identities.resolveAtprotoData(did, true)
    expect({ pds, handle }).toEqual({ pds: to.url, handle: HANDLE })
    const { data: resolved } = await new AtpAgent({ service: to.url }).resolveHandle({ handle: HANDLE })
    expect(resolved.did).toBe(did)
    expect(await whatIsAt(to, did)).toEqual(lived)
    expect(await preferencesOf(moved)).toEqual([...PREFERENCES, AGE])
    expect((await moved.com.atproto.server.getSession()).data).toMatchObject({ handle: HANDLE, active: true })
    await moved.post({ text: `at ${to.did}` })
    lived.records['app.bsky.feed.post']!++
    await firehose.until((frames) => frames.length >= 5)
    expect(events()[4]).toMatchObject({ kind: 'commit', repo: did, ops: [{ action: 'create' }] })
    // What anybody can check with nothing but the archive and the identity.
    const { data: archive } = await moved.com.atproto.sync.getRepo({ did })
    const verified = await verifyRepoCar(archive, did, signingKey)
    expect(verified.creates).toHaveLength(sum(lived.records))
    const { data: old } = await new AtpAgent({ service: from.serviceUrl }).com.atproto.sync.getRepoStatus({
      did,
    })
    expect(old).toMatchObject({ active: false, status: 'deactivated' })
    from = moved
  }
})

/** Posts, a twentieth of them with pictures, likes and follows. */
async function live(agent: AtpAgent) {
  const { did } = agent.session!
  const createdAt = new Date().toISOString()
  const pictures: BlobRef[] = []
  const blobs: Record<string, string> = {}
  for (let n = 0; n < BLOBS; n++) {
    const bytes = Buffer.concat([PIXEL, Buffer.from(`picture ${n} `.repeat(50))])
    const { blob } = (await agent.uploadBlob(bytes, { encoding: 'image/png' })).data
    pictures.push(blob)
    blobs[blob.ref.toString()] = digest(bytes)
  }
  const subject = {
    uri: `at://${did}/app.bsky.feed.post/self`,
    cid: 'bafyreidfayvfuwqa7qlnopdjiqrxzs6blmoeu4rujcjtnci5beludirz2a',
  }
  const records = [
    ...Array.from({ length: POSTS }, (_, n) => {
      const images = n < BLOBS && [{ alt: '', image: pictures[n] }]
      const embed = images ? { $type: 'app.bsky.embed.images', images } : undefined
      return { $type: 'app.bsky.feed.post', text: `post ${n}`, createdAt, ...(embed && { embed }) }
    }),
    ...Array.from({ length: LIKES }, (_, n) => ({
      $type: 'app.bsky.feed.like',
      subject: { ...subject, uri: `${subject.uri}${n}` },
      createdAt,
    })),
    ...Array.from({ length: FOLLOWS }, (_, n) => ({
      $type: 'app.bsky.graph.follow',
      subject: `did:web:followed${n}.example`,
      createdAt,
    })),
  ]
  for (let at = 0; at < records.length; at += BATCH) {
    await agent.com.atproto.repo.applyWrites({
      repo: did,
      writes: records.slice(at, at + BATCH).map((value) => ({
        $type: 'com.atproto.repo.applyWrites#create' as const,
        collection: value.$type,
        value,
      })),
    })
  }
  await agent.app.bsky.actor.putPreferences({ preferences: PREFERENCES })
  return { records: { ...COUNTS } as Record<string, number>, blobs }
}

/**
 * What a stranger finds: how many records of each collection, and the blobs with the digests of
 * their bytes.
 */
async function whatIsAt({ url }: Host, did: string) {
  const { com } = new AtpAgent({ service: url })
  const records: Record<string, number> = {}
  for (const collection of (await com.atproto.repo.describeRepo({ repo: did })).data.collections) {
    records[collection] = 0
    for (let cursor: string | undefined; ; ) {
      const { data } = await com.atproto.repo.listRecords({ repo: did, collection, limit: 100, cursor })
      records[collection] += data.records.length
      cursor = data.cursor
      if (cursor === undefined) break
    }
  }
  const blobs: Record<string, string> = {}
  const { cids } = (await com.atproto.sync.listBlobs({ did, limit: 1000 })).data
  for (const cid of cids) blobs[cid] = digest((await com.atproto.sync.getBlob({ did, cid })).data)
  return { records, blobs }
}

const preferencesOf = async (agent: AtpAgent) =>
  (await agent.app.bsky.actor.getPreferences()).data.preferences

const digest = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
const sum = (counts: Record<string, number>): number => Object.values(counts).reduce((a, b) => a + b)
