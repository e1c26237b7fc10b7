/**
 * Repositories as CAR files, made for imports: whole, of any size, and with whatever is wrong with
 * them that a test asks for.
 */
import { carBlock, carHeader } from '#protocol/car.ts'
import { encode } from '#protocol/cbor.ts'
import { type Cid, cidForCbor, cidForRaw } from '#protocol/cid.ts'
import { signCommit } from '#protocol/commit.ts'
import { generateKey, type SigningKey } from '#protocol/keys.ts'
import { Link } from '#protocol/link.ts'
import { tidFromMicros } from '#protocol/tid.ts'
import { buildTree } from './mst/build.ts'

/** A record by its path, `collection/rkey`. */
export type ArchiveRecords = ReadonlyMap<string, Record<string, unknown>>

export interface Archive {
  readonly commit: { readonly cid: Cid; readonly block: Buffer }
  readonly data: Cid
  /** The nodes of the tree, each after those below it. */
  readonly nodes: ReadonlyMap<Cid, Buffer>
  /** The records' blocks in the order of their paths. */
  readonly records: ReadonlyMap<Cid, Buffer>
}

/** A signed repository of these records. */
export function makeArchive(
  did: string,
  records: ArchiveRecords,
  {
    key = generateKey('ES256K'),
    rev = tidFromMicros(Date.now() * 1000, 7),
    blocks: others = [],
  }: {
    key?: SigningKey
    rev?: string
    /** Records that `encode` would not make, by their paths. */
    blocks?: Iterable<readonly [path: string, block: Buffer]>
  } = {},
): Archive {
  const blocks = new Map<Cid, Buffer>()
  const encoded = [...records].map(([path, record]) => [path, encode(record)] as const)
  const entries = [...encoded, ...others]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([path, block]) => {
      const cid = cidForCbor(block)
      blocks.set(cid, block)
      return { key: path, value: cid }
    })
  const nodes = new Map<Cid, Buffer>()
  const tree = buildTree(entries)
  let step = tree.next()
  for (; !step.done; step = tree.next()) nodes.set(...step.value)
  const commit = signCommit({ did, data: step.value, rev, prev: null }, key)
  return { commit, data: step.value, nodes, records: blocks }
}

/** The archive as a file: the commit, the nodes, the records. */
export function carOf({ commit, nodes, records }: Archive): Buffer {
  return carFile(commit.cid, [[commit.cid, commit.block], ...nodes, ...records])
}

/** A file of these blocks, in this order. */
export function carFile(root: Cid | null, blocks: Iterable<[Cid, Buffer]>): Buffer {
  return Buffer.concat([carHeader(root), ...[...blocks].map(([cid, block]) => carBlock(cid, block))])
}

/**
 * What an account of some years holds: posts, some with an image, likes and follows, in the
 * proportions of the network.
 */
export function* typicalRecords(count: number): Generator<[path: string, record: Record<string, unknown>]> {
  const start = Date.UTC(2024, 0, 1) * 1000
  for (let i = 0; i < count; i++) {
    const micros = start + i * 1_000_003
    const rkey = tidFromMicros(micros, i % 1024)
    const createdAt = new Date(micros / 1000).toISOString()
    const subject = {
      uri: `at://did:plc:${(i * 7919).toString(32).padStart(24, 'a').slice(0, 24)}/app.bsky.feed.post/${rkey}`,
      cid: 'bafyreidfayvfuwqa7qlnopdjiqrxzs6blmoeu4rujcjtnci5beludirz2a',
    }
    switch (i % 10) {
      case 0:
      case 1: {
        const text = `Post number ${i}: what happened today, told at the length at which people tell such things. 🐚`
        const embed = i % 20 === 0 ? { embed: imageOf(i) } : {}
        yield [
          `app.bsky.feed.post/${rkey}`,
          { $type: 'app.bsky.feed.post', text, createdAt, langs: ['en'], ...embed },
        ]
        break
      }
      case 2:
        yield [
          `app.bsky.graph.follow/${rkey}`,
          { $type: 'app.bsky.graph.follow', subject: subject.uri.slice(5, 37), createdAt },
        ]
        break
      case 3:
        yield [`app.bsky.feed.repost/${rkey}`, { $type: 'app.bsky.feed.repost', subject, createdAt }]
        break
      default:
        yield [`app.bsky.feed.like/${rkey}`, { $type: 'app.bsky.feed.like', subject, createdAt }]
    }
  }
}

/** The bytes of the image of the post with this number. */
export function imageBytes(i: number): Buffer {
  return Buffer.concat([
    Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex'),
    Buffer.from(`image ${i}`.repeat(20)),
  ])
}

function imageOf(i: number) {
  const bytes = imageBytes(i)
  const image = { $type: 'blob', ref: new Link(cidForRaw(bytes)), mimeType: 'image/png', size: bytes.length }
  return { $type: 'app.bsky.embed.images', images: [{ alt: '', image }] }
}
