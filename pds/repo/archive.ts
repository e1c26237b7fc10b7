/** An archive from elsewhere: spooled, and read as the rows of a repository. */
import { isValidNsid } from '@atproto/syntax'
import { DomainError } from '#platform/errors.ts'
import { CarReader } from '#protocol/car.ts'
import { CborError, type CborValue, isMap } from '#protocol/cbor.ts'
import { type Cid, isRawCid } from '#protocol/cid.ts'
import { layerOf } from '#protocol/mst/key.ts'
import { decodeNode, MissingNodeError } from '#protocol/mst/node.ts'
import { Cursor } from '#protocol/mst/walk.ts'
import { decodeRecord } from '#protocol/record.ts'
import { blobsOf } from '../blobs/references.ts'
import type { NewRecord } from '../store/records.ts'
import { subjectOf } from './prepare.ts'
import type { BlockSpool } from './spool.ts'

/** https://atproto.com/specs/record-key */
const RECORD_KEY_CHARACTERS_MAX = 512

/** A row of the repository that is being filled. */
export type Row =
  | { readonly kind: 'node'; readonly cid: Cid; readonly block: Buffer }
  | { readonly kind: 'record'; readonly record: NewRecord; readonly blobs: readonly Cid[] }

/** Spools an archive. @returns its root */
export async function receive(archive: AsyncIterable<Uint8Array>, spool: BlockSpool): Promise<Cid> {
  const reader = new CarReader()
  for await (const chunk of archive) {
    const sections = reader.push(chunk)
    for (const { cid, block } of sections) {
      const written = spool.add(cid, block)
      if (written !== undefined) await written
    }
  }
  reader.end()
  await spool.finish()
  const [root, ...others] = reader.roots ?? []
  if (root === undefined || others.length > 0) throw new DomainError('invalid', 'expected one root')
  return root
}

/**
 * The rows of the repository with this root: each node before its subtrees, records in key order.
 */
export function* rowsOf(spool: BlockSpool, root: Cid): Generator<Row> {
  let read: { cid: Cid; block: Buffer } | undefined
  const source = {
    node(cid: Cid) {
      const block = read?.cid === cid ? read.block : spool.get(cid)
      if (block === undefined) throw new MissingNodeError(cid)
      read = { cid, block }
      return decodeNode(block)
    },
  }
  let collection = ''
  const cursor = new Cursor(source, root)
  while (cursor.at !== null) {
    if (typeof cursor.at === 'string') {
      const cid = cursor.at
      cursor.enter()
      yield { kind: 'node', cid, block: read?.block as Buffer }
      continue
    }
    const { key, value } = cursor.at
    if (layerOf(key) !== cursor.layer + 1)
      throw new DomainError('invalid', `the key ${key} is on a wrong layer`)
    cursor.next()
    const slash = key.indexOf('/')
    if (!(key.startsWith(collection) && collection.length === slash)) {
      collection = key.slice(0, slash)
      if (!isValidNsid(collection)) throw new DomainError('invalid', `Not a collection: ${collection}`)
    }
    yield recordOf(collection, key.slice(slash + 1), value, spool.get(value))
  }
}

function recordOf(collection: string, rkey: string, cid: Cid, block: Buffer | undefined): Row {
  const fault = (why: string) =>
    new DomainError('invalid', `Could not parse record at '${collection}/${rkey}': ${why}`)
  // That it has the right characters was looked at with its node.
  if (rkey === '.' || rkey === '..' || rkey.length > RECORD_KEY_CHARACTERS_MAX)
    throw fault('not a record key')
  if (block === undefined) throw fault('it is not in the archive')
  if (isRawCid(cid)) throw fault('not DAG-CBOR')
  let value: CborValue
  try {
    value = decodeRecord(block)
  } catch (error) {
    throw error instanceof CborError ? fault(error.message) : error
  }
  if (!isMap(value)) throw fault('not a map')
  return {
    kind: 'record',
    record: { collection, rkey, cid, block, subject: subjectOf(value) },
    blobs: blobsOf(value),
  }
}
