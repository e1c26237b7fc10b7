/**
 * A piece of the real network's firehose goes through the feed generator, every signature checked
 * against the recorded DID documents.
 */
import path from 'node:path'
import { cborToLexRecord, readCarWithRoot } from '@atproto/repo'
import { describe, expect, test } from 'vitest'
import { type CommitEvent, decodeFrame } from '#protocol/frame.ts'
import { cursorOf, dump, eventually, SERVICE_DID, startFeedgen } from '../feedgen/support.ts'
import { type Directory, startDirectory } from '../support/directory.ts'
import {
  type RunningProcess,
  startProcess,
  type TemporaryFolder,
  temporaryFolder,
} from '../support/processes.ts'
import { recordedDocuments, recordedFrames } from '../support/recorded.ts'
import { type Relay, startRelay } from '../support/relay.ts'
import { vectorJson } from '../support/vectors.ts'

interface Manifest {
  frames: number
  commit_frames: number
  creates: number
  updates: number
  deletes: number
  identity: number
  account: number
  v1_events: number
  seq_last: number
}

interface Frame {
  seq: number
  bytes: Buffer
}

function frames(): Frame[] {
  return recordedFrames().map((bytes) => {
    const event = decodeFrame(bytes)
    if (!('seq' in event) || event.seq === undefined) throw new Error('every recorded frame has a seq')
    return { seq: event.seq, bytes }
  })
}

/** The recording is old: nothing of it may be pruned. */
const retentionHours = 1_000_000

describe('the recorded firehose', () => {
  test('is verified whole, and every record is accounted for', async () => {
    const manifest = vectorJson<Manifest>('recorded/manifest.json')
    await using directory = await startDirectory(recordedDocuments())
    await using relay = await startRelay()
    await using feedgen = await startFeedgen({ endpoints: [relay.url], plcUrl: directory.url })
    for (const { bytes, seq } of frames()) relay.send(bytes, seq)
    await feedgen.reached(relay.url, manifest.seq_last)

    const { counts } = feedgen
    expect(counts.verified).toBe(manifest.commit_frames)
    expect(counts.events).toMatchObject({
      commit: manifest.commit_frames,
      identity: manifest.identity,
      account: manifest.account,
      sync: 0,
      unknown: 0,
    })
    expect(counts.ops).toEqual({
      create: manifest.creates,
      update: manifest.updates,
      delete: manifest.deletes,
    })
    const { create, update, delete: remove } = counts.ops
    expect(create + update + remove + counts.events.identity + counts.events.account).toBe(manifest.v1_events)
    expect([...counts.faults]).toEqual([])
    await expect
      .poll(() => counts.outcomes)
      .toEqual({
        applied: manifest.commit_frames + manifest.account,
        jumped: 0,
        stale: 0,
        refused: 0,
        deleted: 0,
      })
    expect(urisIn(dump(feedgen.file))).toEqual(await urisExpected())
  })

  test('makes the same index when the process is killed on the way', async () => {
    const all = frames()
    const seqLast = all.at(-1)!.seq
    await using directory = await startDirectory(recordedDocuments())
    await using relay = await startRelay()
    for (const { bytes, seq } of all) relay.send(bytes, seq)
    await using undisturbed = await startFeedgen({
      retentionHours,
      endpoints: [relay.url],
      plcUrl: directory.url,
      serviceDid: SERVICE_DID,
    })
    await undisturbed.reached(relay.url, seqLast)

    using folder = temporaryFolder()
    const file = path.join(folder.path, 'feedgen.sqlite')
    const stops = [30, 75, 120].map((at) => stopAt(all, at))
    for (const { did, seqBefore } of stops) {
      // Everything is received and prepared but the answer to one question, behind which all else
      // has to wait.
      directory.withheld.add(did)
      await using feedgen = await startMain({ directory, relay, folder })
      await eventually(() => cursorOf(file, relay.url) === seqBefore)
      feedgen.kill('SIGKILL')
      await feedgen.exited
      directory.withheld.delete(did)
      expect(dump(file)).not.toEqual(dump(undisturbed.file))
    }
    await using feedgen = await startMain({ directory, relay, folder })
    await eventually(() => cursorOf(file, relay.url) === seqLast)
    expect(await feedgen.stop()).toBe(0)
    expect(dump(file)).toEqual(dump(undisturbed.file))
    expect(relay.cursors).toEqual([0, 0, ...stops.map(({ seqBefore }) => seqBefore)])
  })
})

/** The first author who appears no earlier than at a frame, and the seq of the frame before his. */
function stopAt(all: Frame[], at: number): { did: string; seqBefore: number } {
  const authors = all.map(({ bytes }) => {
    const event = decodeFrame(bytes)
    return event.kind === 'commit' ? event.repo : undefined
  })
  const index = authors.findIndex((did, i) => i >= at && did !== undefined && authors.indexOf(did) === i)
  return { did: authors[index]!, seqBefore: all[index - 1]!.seq }
}

function startMain(at: {
  directory: Directory
  relay: Relay
  folder: TemporaryFolder
}): Promise<RunningProcess> {
  return startProcess({
    file: 'feedgen/main.ts',
    env: {
      FEEDGEN_PORT: '0',
      FEEDGEN_HOSTNAME: 'feeds.test',
      FEEDGEN_DEV_MODE: 'true',
      FEEDGEN_BACKFILL: 'false',
      FEEDGEN_RETENTION_HOURS: String(retentionHours),
      FEEDGEN_DATA_DIRECTORY: at.folder.path,
      FEEDGEN_SUBSCRIPTION_ENDPOINT: at.relay.url,
      PDS_DID_PLC_URL: at.directory.url,
    },
    ready: /feed generator at/,
  })
}

const tables = new Map([
  ['app.bsky.feed.post', 'posts'],
  ['app.bsky.feed.like', 'likes'],
  ['app.bsky.feed.repost', 'reposts'],
  ['app.bsky.graph.follow', 'follows'],
])

/** The URIs that the index should hold, told with the reference's own readers. */
async function urisExpected(): Promise<Record<string, string[]>> {
  const uris = new Map([...tables.values()].map((table) => [table, new Set<string>()]))
  const commits = recordedFrames()
    .map((bytes) => decodeFrame(bytes))
    .filter((event): event is CommitEvent => event.kind === 'commit')
  for (const { repo, blocks, ops } of commits) {
    const car = await readCarWithRoot(blocks)
    for (const { path, cid } of ops) {
      const found = uris.get(tables.get(path.split('/')[0] as string) ?? '')
      const uri = `at://${repo}/${path}`
      if (cid === null) found?.delete(uri)
      else if (found) {
        const block = [...car.blocks.entries()].find(
          (entry) => Buffer.from(entry.cid.bytes).toString('latin1') === cid,
        )
        expect(cborToLexRecord(block!.bytes).$type).toBe(path.split('/')[0])
        found.add(uri)
      }
    }
  }
  return Object.fromEntries([...uris].map(([table, found]) => [table, [...found].sort()]))
}

function urisIn(all: Record<string, unknown[]>): Record<string, string[]> {
  const urisOf = (table: string) => (all[table] as { uri: string }[]).map(({ uri }) => uri).sort()
  return Object.fromEntries([...tables.values()].map((table) => [table, urisOf(table)]))
}
