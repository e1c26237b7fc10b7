/** What can be wrong with a read or a write of a repository. */
import { DomainError } from '#platform/errors.ts'
import { type Cid, formatCid } from '#protocol/cid.ts'

/** Whose repository it is. */
export interface RepoOwner {
  readonly id: number
  readonly did: string
}

/** There is no repository of this DID here. */
export const repoNotFound = (did: string): DomainError =>
  new DomainError('notFound', `Could not find repo for DID: ${did}`, 'RepoNotFound')

/** The account of a repository is not active: nothing is written to it. */
export const repoInactive = (code: 'AccountTakedown' | 'AccountDeactivated'): DomainError =>
  new DomainError(
    'unauthenticated',
    code === 'AccountTakedown' ? 'Account has been taken down' : 'Account is deactivated',
    code,
  )

/** A record refers to a blob that was not uploaded, or describes it wrongly. */
export const badBlobReference = (
  code: 'BlobNotFound' | 'InvalidMimeType' | 'InvalidSize',
  message: string,
): DomainError => new DomainError('invalid', message, code)

/** The repository or the record is not where the caller thought (`swapCommit`, `swapRecord`). */
export class SwapMismatchError extends DomainError<'InvalidSwap'> {
  override name = 'SwapMismatchError'
  /** Where it is; null when there is no such record. */
  readonly actual: Cid | null
  constructor(what: 'Commit' | 'Record', actual: Cid | null) {
    super('conflict', `${what} was at ${actual === null ? 'null' : formatCid(actual)}`, 'InvalidSwap')
    this.actual = actual
  }
}
