/**
 * While a labeler's DID document cannot be had, nothing is said of the labeler, and no label of it
 * is lost.
 */
import { afterEach, expect, test, vi } from 'vitest'
import { logger } from '#platform/log.ts'
import { generateKey } from '#protocol/keys.ts'
import { Counts } from '../../../feedgen/firehose/counts.ts'
import { Labelers, UnknownLabelerError, UnreachableLabelerError } from '../../../feedgen/firehose/labelers.ts'
import { LabelStream } from '../../../feedgen/firehose/labels.ts'
import type { Prepared } from '../../../feedgen/firehose/stream.ts'
import { encodeLabelsFrame, signLabel } from '../../support/labeler.ts'

const did = 'did:plc:6fcm7ff3wkzrsnh3gjbncv2f'
const HOUR_MS = 3_600_000
const key = generateKey()
const document = {
  id: did,
  verificationMethod: [
    {
      id: '#atproto_label',
      type: 'Multikey',
      controller: did,
      publicKeyMultibase: key.did.slice('did:key:'.length),
    },
  ],
  service: [{ id: '#atproto_labeler', type: 'AtprotoLabeler', serviceEndpoint: 'https://labels.test' }],
}

afterEach(() => {
  vi.restoreAllMocks()
})

/** Labelers whose directory answers as it is told: with a status, or with what hangs up. */
function stage() {
  const directory = { status: 200, body: document as object, asked: 0 }
  const fetch = async () => {
    directory.asked++
    if (directory.status === 0) throw new TypeError('fetch failed')
    return new Response(JSON.stringify(directory.body), { status: directory.status })
  }
  return { directory, labelers: new Labelers({ plcUrl: 'https://plc.test', fetch }) }
}

/** Lets so many hours pass. */
function pass(hours: number): void {
  const later = Date.now() + hours * HOUR_MS
  vi.spyOn(Date, 'now').mockReturnValue(later)
}

test.each([0, 500, 503])('a directory that is ill (%i) says nothing of a labeler', async (status) => {
  const { directory, labelers } = stage()
  directory.status = status
  await expect(labelers.get(did)).rejects.toThrow(UnreachableLabelerError)
  directory.status = 200
  const found = await labelers.get(did)
  expect(found.endpoint).toBe('https://labels.test')
  pass(2)
  directory.status = status
  // What it said last goes on, and it is not asked for each label.
  expect(await labelers.get(did)).toBe(found)
  const { asked } = directory
  expect(await labelers.get(did)).toBe(found)
  expect(directory.asked).toBe(asked)
  await expect(labelers.refresh(did)).rejects.toThrow(UnreachableLabelerError)
  expect(await labelers.get(did)).toBe(found)
  pass(4)
  directory.status = 200
  expect(await labelers.get(did)).not.toBe(found)
})

test.each<[string, number, object]>([
  ['a DID without a document', 404, {}],
  ['a document without a labeler', 200, { ...document, service: [] }],
  [
    'a document with a malformed key',
    200,
    { ...document, verificationMethod: [{ ...document.verificationMethod[0], publicKeyMultibase: 'zQ3' }] },
  ],
])('%s is of no labeler, whatever was there before', async (_, status, body) => {
  const { directory, labelers } = stage()
  await labelers.get(did)
  pass(2)
  Object.assign(directory, { status, body })
  await expect(labelers.get(did)).rejects.toThrow(UnknownLabelerError)
})

const signed = signLabel(
  { src: did, uri: 'did:plc:somebody', val: 'rude', cts: '2026-01-01T00:00:00.000Z' },
  key,
)

/** What comes of a frame with a label. */
async function prepared(labelers: Labelers, signal: AbortSignal) {
  const counts = new Counts()
  const stream = new LabelStream({ did, labelers, counts, allowPrivate: true })
  const reading = stream.read(Buffer.from(encodeLabelsFrame(7, [signed])), signal)
  if (typeof reading === 'string') return expect.unreachable()
  return { counts, said: (await reading.prepared) as Prepared }
}

test('labels wait for the key, and the log says what for', async () => {
  const { directory, labelers } = stage()
  directory.status = 503
  const warn = vi.spyOn(logger('firehose'), 'warn').mockImplementation(() => {
    directory.status = 200
  })
  const { counts, said } = await prepared(labelers, new AbortController().signal)
  expect(said).toMatchObject({ kind: 'labels', labels: [{ uri: 'did:plc:somebody', val: 'rude' }] })
  expect(counts.faults.size).toBe(0)
  expect(warn).toHaveBeenCalledExactlyOnceWith(
    expect.objectContaining({ did, todo: expect.any(String) }),
    expect.any(String),
  )
})

test('labels that wait at the end leave the cursor before them', async () => {
  const { directory, labelers } = stage()
  directory.status = 503
  const stopping = new AbortController()
  vi.spyOn(logger('firehose'), 'warn').mockImplementation(() => stopping.abort())
  const { counts, said } = await prepared(labelers, stopping.signal)
  expect(said).toBe('passedOver')
  expect(counts.faults.size).toBe(0)
})
