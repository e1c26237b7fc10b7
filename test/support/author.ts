/**
 * Authors with repositories in memory, whose commits are signed and proved as those of a server
 * are.
 */
import { randomBytes } from 'node:crypto'
import { writeCar } from '#protocol/car.ts'
import { encode } from '#protocol/cbor.ts'
import { type Cid, cidForCbor } from '#protocol/cid.ts'
import { signCommit } from '#protocol/commit.ts'
import type { CommitEvent, RepoOp, SyncEvent } from '#protocol/frame.ts'
import { generateKey, type KeyAlgorithm, type SigningKey } from '#protocol/keys.ts'
import { EMPTY_ROOT, encodeNode, nodesOf } from '#protocol/mst/node.ts'
import { applyOps, getValue } from '#protocol/mst/tree.ts'
import { TidClock } from '#protocol/tid.ts'
import type { Directory } from './directory.ts'

export type Body = Record<string, unknown>

/** A record to be written under its path, or, when null, deleted. */
export type Writes = Record<string, Body | null>

const clock = new TidClock()

export class Author {
  readonly did: string
  key: SigningKey
  #root: Cid = EMPTY_ROOT
  #rev: string | null = null
  readonly #blocks = new Map<Cid, Uint8Array>([[EMPTY_ROOT, encodeNode({ left: null, entries: [] })]])

  constructor({ did = randomPlcDid(), algorithm }: { did?: string; algorithm?: KeyAlgorithm } = {}) {
    this.did = did
    this.key = generateKey(algorithm)
  }

  /** The DID document that names the author's key. */
  get document() {
    return {
      id: this.did,
      verificationMethod: [
        {
          id: `${this.did}#atproto`,
          type: 'Multikey',
          controller: this.did,
          publicKeyMultibase: this.key.did.slice('did:key:'.length),
        },
      ],
    }
  }

  /** Puts the document into a directory. */
  register(directory: Directory): this {
    directory.documents.set(this.did, this.document)
    return this
  }

  uri(path: string): string {
    return `at://${this.did}/${path}`
  }

  /** The event of a commit that makes the writes, all at once. */
  commit(writes: Writes, { time = new Date() }: { time?: Date } = {}): Omit<CommitEvent, 'seq'> {
    const source = nodesOf(this.#blocks)
    const records = new Map<Cid, Uint8Array>()
    const ops = Object.entries(writes).map(([path, record]): RepoOp => {
      const prev = getValue(source, this.#root, path)
      if (record === null) return { action: 'delete', path, cid: null, prev: prev as Cid }
      const block = encode({ $type: path.split('/')[0], ...record })
      const cid = cidForCbor(block)
      records.set(cid, block)
      return prev === null ? { action: 'create', path, cid } : { action: 'update', path, cid, prev }
    })
    const prevData = this.#root
    const since = this.#rev
    const applied = applyOps(
      source,
      prevData,
      ops.map(({ path, cid, prev }) => ({ key: path, value: cid, prev: prev ?? null })),
    )
    const rev = clock.next(since ?? undefined)
    const signed = signCommit({ did: this.did, data: applied.root, rev, prev: null }, this.key)
    for (const [cid, block] of applied.created) this.#blocks.set(cid, block)
    this.#root = applied.root
    this.#rev = rev
    return {
      kind: 'commit',
      repo: this.did,
      commit: signed.cid,
      rev,
      since,
      prevData,
      blocks: writeCar(signed.cid, [
        [signed.cid, signed.block],
        ...applied.created,
        ...applied.proof,
        ...records,
      ]),
      ops,
      blobs: [],
      time: time.toISOString(),
      rebase: false,
      tooBig: false,
    }
  }

  /** A sync event of where the repository stands, under a new revision. */
  sync(): Omit<SyncEvent, 'seq'> {
    this.#rev = clock.next(this.#rev ?? undefined)
    const { cid, block } = signCommit(
      { did: this.did, data: this.#root, rev: this.#rev, prev: null },
      this.key,
    )
    const blocks = writeCar(cid, [[cid, block]])
    return { kind: 'sync', did: this.did, rev: this.#rev, blocks, time: new Date().toISOString() }
  }

  /** A commit of one new record, and the record's URI. */
  create(collection: string, record: Body): { uri: string; event: Omit<CommitEvent, 'seq'> } {
    const path = `${collection}/${clock.next()}`
    return { uri: this.uri(path), event: this.commit({ [path]: record }) }
  }

  post(text: string, more: Body = {}) {
    return this.create('app.bsky.feed.post', { text, createdAt: new Date().toISOString(), ...more })
  }

  like(uri: string) {
    return this.create('app.bsky.feed.like', { subject: reference(uri), createdAt: new Date().toISOString() })
  }

  repost(uri: string) {
    return this.create('app.bsky.feed.repost', {
      subject: reference(uri),
      createdAt: new Date().toISOString(),
    })
  }

  follow(did: string) {
    return this.create('app.bsky.graph.follow', { subject: did, createdAt: new Date().toISOString() })
  }
}

/** A strong reference to a record; nobody looks at the CID. */
export function reference(uri: string) {
  return { uri, cid: 'bafyreidfayvfuwqa7qlnopdjiqrxzs6blmoeu4rujcjtnci5beludirz2a' }
}

/** The path of a URI's record in its repository. */
export function pathOf(uri: string): string {
  return uri.split('/').slice(3).join('/')
}

/** A DID of the form that the PLC directory gives, and of nobody. */
export function randomPlcDid(): string {
  const alphabet = 'abcdefghijklmnopqrstuvwxyz234567'
  return `did:plc:${[...randomBytes(24)].map((byte) => alphabet[byte & 31]).join('')}`
}
