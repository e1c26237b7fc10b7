/** The errors of the domain: what kind of thing went wrong, not which HTTP status that is. */

/**
 * What kind of thing went wrong:
 * - `invalid`, `notFound`, `conflict`: the caller asks for what cannot be done, as it is stated,
 *   for lack of its subject, or because of what is there
 * - `unauthenticated`, `forbidden`: the caller must prove who they are, or may not do this at all
 * - `tooLarge`, `rateLimited`: a limit was reached
 * - `unavailable`, `outOfSpace`: this server cannot do it now
 * - `upstreamFailed`, `timedOut`: another service failed, or took too long
 */
export type ErrorKind =
  | 'invalid'
  | 'notFound'
  | 'conflict'
  | 'unauthenticated'
  | 'forbidden'
  | 'tooLarge'
  | 'rateLimited'
  | 'unavailable'
  | 'outOfSpace'
  | 'upstreamFailed'
  | 'timedOut'

export interface DomainErrorOptions extends ErrorOptions {
  /**
   * Whether the cause was logged where it happened; then the failed request is not logged as a
   * fault.
   */
  readonly isLogged?: boolean
}

/**
 * An error whose `message` is meant for clients and users. `code` is the error's name on the wire,
 * where the protocol has one. Subclasses are for errors that are caught, or that carry data.
 */
export class DomainError<C extends string | undefined = string | undefined> extends Error {
  override name = 'DomainError'
  readonly kind: ErrorKind
  readonly code: C
  readonly isLogged: boolean

  constructor(
    kind: ErrorKind,
    message: string | undefined,
    code?: C,
    { isLogged = false, ...options }: DomainErrorOptions = {},
  ) {
    super(message, options)
    this.kind = kind
    this.code = code as C
    this.isLogged = isLogged
  }
}

/** Another service's error, returned with its own status. */
export class RelayedError extends DomainError {
  override name = 'RelayedError'
  readonly status: number

  constructor(status: number, message: string | undefined, code?: string) {
    super('upstreamFailed', message, code)
    this.status = status
  }
}

const BY_CALLER: ReadonlySet<ErrorKind> = new Set([
  'invalid',
  'notFound',
  'conflict',
  'unauthenticated',
  'forbidden',
])

/** Whether an error is one of the domain's that its caller can mend. */
export const isByCaller = (error: unknown): error is DomainError =>
  error instanceof DomainError && BY_CALLER.has(error.kind)
