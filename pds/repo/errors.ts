/** What can be wrong with a read or a write of a repository. The mapping to XRPC errors is in `xrpc/errors.ts`. */
import { type Cid, formatCid } from '#protocol/cid.ts'

/** Whose repository it is. */
export interface RepoOwner {
  readonly id: number
  readonly did: string
}

/** There is no repository of this DID here. */
export class RepoNotFoundError extends Error {
  override name = 'RepoNotFoundError'
  readonly did: string
  constructor(did: string) {
    super(`Could not find repo for DID: ${did}`)
    this.did = did
  }
}

/** A record that cannot be written: not of its lexicon, not in the data model, a bad key. */
export class InvalidRecordError extends Error {
  override name = 'InvalidRecordError'
}

/** The repository or the record is not where the caller thought (`swapCommit`, `swapRecord`). */
export class SwapMismatchError extends Error {
  override name = 'SwapMismatchError'
  /** Where it is; null when there is no such record. */
  readonly actual: Cid | null
  constructor(what: 'Commit' | 'Record', actual: Cid | null) {
    super(`${what} was at ${actual === null ? 'null' : formatCid(actual)}`)
    this.actual = actual
  }
}

/** A create of a record that exists, or an update or delete of one that does not. */
export class RecordStateError extends Error {
  override name = 'RecordStateError'
}

/** A record refers to a blob that was not uploaded, or describes it wrongly. */
export class BlobReferenceError extends Error {
  override name = 'BlobReferenceError'
  readonly code: 'BlobNotFound' | 'InvalidMimeType' | 'InvalidSize'
  constructor(code: 'BlobNotFound' | 'InvalidMimeType' | 'InvalidSize', message: string) {
    super(message)
    this.code = code
  }
}

/** More writes, or a larger event, than one commit may have. */
export class TooManyWritesError extends Error {
  override name = 'TooManyWritesError'
}

/** Blocks were asked for that the repository does not hold. */
export class MissingBlocksError extends Error {
  override name = 'MissingBlocksError'
  readonly cids: readonly string[]
  constructor(cids: readonly string[]) {
    super(`Could not find cids: ${cids.join(',')}`)
    this.cids = cids
  }
}

/** The account of a repository is not active: nothing is written to it. `code` is the XRPC error name. */
export class RepoInactiveError extends Error {
  override name = 'RepoInactiveError'
  readonly code: 'AccountTakedown' | 'AccountDeactivated'
  constructor(code: RepoInactiveError['code']) {
    super(code === 'AccountTakedown' ? 'Account has been taken down' : 'Account is deactivated')
    this.code = code
  }
}

/** An archive with more blocks than one may have. */
export class ArchiveTooLargeError extends Error {
  override name = 'ArchiveTooLargeError'
}

/** An archive that cannot be imported: damaged, incomplete, not a repository, or not this account's. */
export class ImportError extends Error {
  override name = 'ImportError'
}
