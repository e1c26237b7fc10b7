/** What can go wrong between this server and another. The mapping to XRPC errors is in `xrpc/errors.ts`. */

/** A request that is not passed on. `code` is the XRPC error name. */
export class NotProxiedError extends Error {
  override name = 'NotProxiedError'
  readonly code: 'InvalidToken' | 'UnknownFeed' | undefined
  constructor(message: string, code?: NotProxiedError['code']) {
    super(message)
    this.code = code
  }
}

/** The other service answered with an error: its status, and what its body said. */
export class UpstreamError extends Error {
  override name = 'UpstreamError'
  readonly status: number
  /** The XRPC error name. */
  readonly code: string | undefined
  /** The revision of the caller's repository that the service knew. */
  readonly rev: string | undefined
  constructor(
    status: number,
    { code, message, rev }: { code?: string; message?: string; rev?: string | undefined },
  ) {
    super(message)
    this.status = status
    this.code = code
    this.rev = rev
  }
}

/** The other service gave no answer, or one that cannot be read. */
export class UpstreamUnreachableError extends Error {
  override name = 'UpstreamUnreachableError'
  constructor(message = 'Upstream service unreachable', options?: ErrorOptions) {
    super(message, options)
  }
}
