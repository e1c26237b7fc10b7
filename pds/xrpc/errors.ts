/** The one place that maps the domain's errors to XRPC's names and statuses. */
import { InvalidRequestError, ResponseType, UpstreamFailureError, XRPCError } from '@atproto/xrpc-server'
import { InvalidCidError } from '#protocol/cid.ts'
import { InvalidKeyError } from '#protocol/mst/node.ts'
import { AccountError, LoginError, RepoUnavailableError } from '../accounts/accounts.ts'
import { AuthError } from '../auth/credentials.ts'
import { ServiceTokenError } from '../auth/service-tokens.ts'
import { BlobTakendownError } from '../blobs/blobs.ts'
import { BlobTooLargeError } from '../blobs/disk.ts'
import { HandleError } from '../identity/handles.ts'
import { PlcError } from '../identity/plc.ts'
import {
  BlobReferenceError,
  InvalidRecordError,
  MissingBlocksError,
  RecordStateError,
  RepoNotFoundError,
  SwapMismatchError,
  TooManyWritesError,
} from '../repo/errors.ts'

/** What an error looks like on the wire. An error that is none of ours is an internal one, and says nothing of its inside. */
export function toXrpcError(error: unknown): XRPCError {
  if (error instanceof XRPCError) return error
  if (error instanceof AuthError) return new XRPCError(error.status, error.message || undefined, error.code)
  if (error instanceof LoginError)
    return new XRPCError(ResponseType.AuthenticationRequired, error.message, error.code)
  if (
    error instanceof AccountError ||
    error instanceof HandleError ||
    error instanceof ServiceTokenError ||
    error instanceof RepoUnavailableError ||
    error instanceof BlobReferenceError
  ) {
    return new InvalidRequestError(error.message, error.code)
  }
  if (error instanceof RepoNotFoundError) return new InvalidRequestError(error.message, 'RepoNotFound')
  if (error instanceof SwapMismatchError) return new InvalidRequestError(error.message, 'InvalidSwap')
  if (
    error instanceof InvalidRecordError ||
    error instanceof RecordStateError ||
    error instanceof TooManyWritesError ||
    error instanceof MissingBlocksError ||
    error instanceof BlobTakendownError ||
    error instanceof InvalidCidError ||
    error instanceof InvalidKeyError
  ) {
    return new InvalidRequestError(error.message)
  }
  if (error instanceof BlobTooLargeError) return new XRPCError(ResponseType.PayloadTooLarge, error.message)
  if (error instanceof PlcError) {
    const refused = error.status !== undefined && error.status < 500
    return refused ? new InvalidRequestError(error.message) : new UpstreamFailureError(error.message)
  }
  return XRPCError.fromError(error)
}
