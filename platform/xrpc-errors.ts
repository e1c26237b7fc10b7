/** The one mapping from the domain's errors to XRPC: HTTP statuses are named here alone. */
import { InternalServerError, InvalidRequestError, ResponseType, XRPCError } from '@atproto/xrpc-server'
import { DomainError, type ErrorKind, RelayedError } from './errors.ts'
import { isFault, isStackOverflow } from './faults.ts'

/** https://www.rfc-editor.org/rfc/rfc4918#section-11.5 */
const INSUFFICIENT_STORAGE = 507 as ResponseType

/** XRPC has one status for whatever the caller must change; the name of the error says which. */
const STATUSES: Readonly<Record<ErrorKind, ResponseType>> = {
  invalid: ResponseType.InvalidRequest,
  notFound: ResponseType.InvalidRequest,
  conflict: ResponseType.InvalidRequest,
  unauthenticated: ResponseType.AuthenticationRequired,
  forbidden: ResponseType.Forbidden,
  tooLarge: ResponseType.PayloadTooLarge,
  rateLimited: ResponseType.RateLimitExceeded,
  unavailable: ResponseType.NotEnoughResources,
  outOfSpace: INSUFFICIENT_STORAGE,
  upstreamFailed: ResponseType.UpstreamFailure,
  timedOut: ResponseType.UpstreamTimeout,
}

/**
 * An error as XRPC sends it. Any other error is an internal one, and its text stays here; so does
 * that of an error of ours, or of the library's, that repeats the text of such an error.
 */
export function toXrpcError(error: unknown): XRPCError {
  const mapped = map(error)
  // The library gives these no text of their own.
  if (mapped.type === ResponseType.InternalServerError || !(isFault(error) || isFault(mapped))) return mapped
  // The library's validators call themselves for each level.
  if (mapped.type === ResponseType.InvalidRequest && error === mapped && isStackOverflow(error))
    return new InvalidRequestError('The input is nested too deeply', undefined, { cause: error })
  return new InternalServerError(undefined, undefined, { cause: error })
}

function map(error: unknown): XRPCError {
  if (!(error instanceof DomainError)) return XRPCError.fromError(error)
  return new XRPCError(statusOf(error), error.message || undefined, error.code)
}

function statusOf(error: DomainError): ResponseType {
  if (!(error instanceof RelayedError)) return STATUSES[error.kind]
  // A fault of theirs is no fault of ours.
  return error.status === ResponseType.InternalServerError ? ResponseType.UpstreamFailure : error.status
}
