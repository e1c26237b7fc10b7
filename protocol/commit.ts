/**
 * The commit of a repository: what its owner signs. Version 3 of
 * https://atproto.com/specs/repository#commit-objects
 */
import { CborError, type CborObject, type CborValue, decode, encode, isMap } from './cbor.ts'
import { type Cid, cidForCbor, InvalidCidError, linkToCid } from './cid.ts'
import { type PublicKey, type SigningKey, verifySignature } from './keys.ts'
import { isLink, Link } from './link.ts'
import { isTid } from './tid.ts'

/** A signed commit. */
export interface Commit {
  did: string
  version: 3
  /** The root of the tree of records. */
  data: Cid
  /** A TID; the revisions of a repository rise. */
  rev: string
  /** A leftover of version 2: null in what is written today. */
  prev: Cid | null
  /** 64 bytes over the commit without this field. */
  sig: Uint8Array
}

/** A commit before it is signed. */
export type UnsignedCommit = Pick<Commit, 'did' | 'data' | 'rev' | 'prev'>

/** A block that is not a version 3 commit. */
export class CommitError extends Error {
  override name = 'CommitError'
}

/** Signs a commit: the commit, its block and the block's CID. */
export function signCommit(
  unsigned: UnsignedCommit,
  key: SigningKey,
): { cid: Cid; block: Buffer; commit: Commit } {
  const { did, data, rev, prev } = unsigned
  const sig = key.sign(encodeCommit(unsigned))
  const block = encodeCommit(unsigned, sig)
  return { cid: cidForCbor(block), block, commit: { did, version: 3, data, rev, prev, sig } }
}

/**
 * Parses a commit's block; the signature is not verified. Fields unknown to version 3 are ignored,
 * as in `@atproto/pds`, and since the signature is verified over the known ones, a commit signed
 * with more does not verify.
 * @throws CommitError
 */
export function decodeCommit(block: Uint8Array): Commit {
  const { did, version, data, rev, prev, sig } = decodeMap(block)
  if (version !== 3) throw new CommitError(`a commit of version ${String(version).slice(0, 20)}, not 3`)
  if (typeof did !== 'string' || !did.startsWith('did:'))
    throw new CommitError('a commit whose did is not a DID')
  if (typeof rev !== 'string' || !isTid(rev)) throw new CommitError('a commit whose rev is not a TID')
  if (!(sig instanceof Uint8Array)) throw new CommitError('a commit without a signature')
  const previous = prev === null ? null : toCid(prev, 'prev')
  return { did, version, data: toCid(data, 'data'), rev, prev: previous, sig }
}

/** Whether the commit is signed by this key (a did:key or its parsed form). */
export function verifyCommit(commit: Commit, key: PublicKey | string): boolean {
  return verifySignature(key, encodeCommit(commit), commit.sig)
}

function encodeCommit({ did, data, rev, prev }: UnsignedCommit, sig?: Uint8Array): Buffer {
  return encode({
    did,
    rev,
    sig,
    data: new Link(data),
    prev: prev === null ? null : new Link(prev),
    version: 3,
  })
}

function decodeMap(block: Uint8Array): CborObject {
  let value: CborValue
  try {
    value = decode(block)
  } catch (cause) {
    if (cause instanceof CborError)
      throw new CommitError(`a commit that is not DAG-CBOR: ${cause.message}`, { cause })
    throw cause
  }
  if (!isMap(value)) throw new CommitError('a commit that is not a map')
  return value
}

function toCid(value: CborValue | undefined, field: string): Cid {
  try {
    if (isLink(value)) return linkToCid(value)
  } catch (cause) {
    if (!(cause instanceof InvalidCidError)) throw cause
  }
  throw new CommitError(`a commit whose ${field} is not a CID`)
}
