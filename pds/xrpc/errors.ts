/** The one place that maps the domain's errors to XRPC's names and statuses. */
import {
  InternalServerError,
  InvalidRequestError,
  ResponseType,
  UpstreamFailureError,
  UpstreamTimeoutError,
  XRPCError,
} from '@atproto/xrpc-server'
import { isFault, isStackOverflow } from '#platform/faults.ts'
import { InvalidCidError } from '#protocol/cid.ts'
import { InvalidKeyError } from '#protocol/mst/node.ts'
import {
  AccountError,
  IdentityNotProvenError,
  LoginError,
  RepoUnavailableError,
} from '../accounts/accounts.ts'
import { EmailTokenError } from '../accounts/credentials/email-tokens.ts'
import { SecondFactorError } from '../accounts/credentials/second-factors.ts'
import { IdentityError } from '../accounts/identities.ts'
import { InviteError } from '../accounts/invites.ts'
import { PreferenceError } from '../accounts/preferences.ts'
import { AuthError } from '../auth/credentials.ts'
import { ServiceTokenError } from '../auth/service-tokens.ts'
import { BlobFormError, BlobOwnerGoneError, BlobTakendownError } from '../blobs/blobs.ts'
import { BlobTimeoutError } from '../blobs/files.ts'
import { BlobTooLargeError } from '../blobs/uploads.ts'
import { DidError } from '../identity/did-documents.ts'
import { HandleError } from '../identity/handles.ts'
import { PlcError, PlcOperationError } from '../identity/plc.ts'
import { DiskFullError } from '../limits/disk-space.ts'
import { MailError } from '../mail/transport.ts'
import { NotProxiedError, UpstreamError, UpstreamUnreachableError } from '../proxy/errors.ts'
import {
  ArchiveTooLargeError,
  BlobReferenceError,
  ImportError,
  InvalidRecordError,
  MissingBlocksError,
  RecordStateError,
  RepoInactiveError,
  RepoNotFoundError,
  SwapMismatchError,
  TooManyWritesError,
} from '../repo/errors.ts'

/** https://www.rfc-editor.org/rfc/rfc4918#section-11.5 */
const INSUFFICIENT_STORAGE = 507 as ResponseType

/**
 * What an error looks like on the wire. An error that is none of ours is an internal one, and says nothing of its inside; nor does one of
 * ours, or of the library's, that repeats the text of such an error.
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
  if (error instanceof XRPCError) return error
  if (error instanceof AuthError) return new XRPCError(error.status, error.message || undefined, error.code)
  if (error instanceof LoginError)
    return new XRPCError(ResponseType.AuthenticationRequired, error.message, error.code)
  if (error instanceof RepoInactiveError || error instanceof IdentityNotProvenError) {
    const code = error instanceof RepoInactiveError ? error.code : undefined
    return new XRPCError(ResponseType.AuthenticationRequired, error.message, code)
  }
  if (error instanceof SecondFactorError) {
    const isTooOften = error.code === 'RateLimitExceeded'
    const status = isTooOften ? ResponseType.RateLimitExceeded : ResponseType.InvalidRequest
    return new XRPCError(status, error.message, error.code)
  }
  if (
    error instanceof AccountError ||
    error instanceof DidError ||
    error instanceof EmailTokenError ||
    error instanceof InviteError ||
    error instanceof HandleError ||
    error instanceof ServiceTokenError ||
    error instanceof RepoUnavailableError ||
    error instanceof BlobReferenceError ||
    error instanceof NotProxiedError
  ) {
    return new InvalidRequestError(error.message, error.code)
  }
  if (error instanceof RepoNotFoundError) return new InvalidRequestError(error.message, 'RepoNotFound')
  if (error instanceof SwapMismatchError) return new InvalidRequestError(error.message, 'InvalidSwap')
  if (
    error instanceof BlobFormError ||
    error instanceof BlobOwnerGoneError ||
    error instanceof IdentityError ||
    error instanceof InvalidRecordError ||
    error instanceof PlcOperationError ||
    error instanceof RecordStateError ||
    error instanceof TooManyWritesError ||
    error instanceof MissingBlocksError ||
    error instanceof PreferenceError ||
    error instanceof ImportError ||
    error instanceof BlobTakendownError ||
    error instanceof InvalidCidError ||
    error instanceof InvalidKeyError
  ) {
    return new InvalidRequestError(error.message)
  }
  if (error instanceof BlobTooLargeError || error instanceof ArchiveTooLargeError)
    return new XRPCError(ResponseType.PayloadTooLarge, error.message)
  if (error instanceof DiskFullError)
    return new XRPCError(INSUFFICIENT_STORAGE, error.message, 'InsufficientStorage')
  if (error instanceof BlobTimeoutError)
    return new UpstreamTimeoutError('Operation timed out, please try again.')
  if (error instanceof PlcError) {
    if (error.status === ResponseType.RateLimitExceeded) {
      const message = 'The PLC directory takes no more requests now. Try again later.'
      return new XRPCError(ResponseType.RateLimitExceeded, message)
    }
    const refused = error.status !== undefined && error.status < 500
    return refused ? new InvalidRequestError(error.message) : new UpstreamFailureError(error.message)
  }
  if (error instanceof UpstreamError) {
    // A fault of theirs is no fault of ours.
    const status =
      error.status === ResponseType.InternalServerError ? ResponseType.UpstreamFailure : error.status
    return new XRPCError(status, error.message || undefined, error.code)
  }
  if (error instanceof MailError) return new UpstreamFailureError(error.message)
  if (error instanceof UpstreamUnreachableError) return new UpstreamFailureError(error.message)
  return XRPCError.fromError(error)
}
