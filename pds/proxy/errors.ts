/** What can go wrong between this server and another. */
import { DomainError, RelayedError } from '#platform/errors.ts'

/** The other service answered with an error: its status, and what its body said. */
export class UpstreamError extends RelayedError {
  override name = 'UpstreamError'
  /** The revision of the caller's repository that the service knew. */
  readonly rev: string | undefined
  constructor(
    status: number,
    { code, message, rev }: { code?: string; message?: string; rev?: string | undefined },
  ) {
    super(status, message, code)
    this.rev = rev
  }
}

/** The other service gave no answer, or one that cannot be read. */
export class UpstreamUnreachableError extends DomainError {
  override name = 'UpstreamUnreachableError'
  constructor(message = 'Upstream service unreachable', options?: ErrorOptions) {
    super('upstreamFailed', message, undefined, options)
  }
}
