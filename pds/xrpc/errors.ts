/** The PDS's errors as XRPC sends them. */
import type { XRPCError } from '@atproto/xrpc-server'
import { DomainError } from '#platform/errors.ts'
import { toXrpcError as domainToXrpcError } from '#platform/xrpc-errors.ts'
import { InvalidCidError } from '#protocol/cid.ts'
import { InvalidKeyError } from '#protocol/mst/key.ts'

/** Errors of the protocol's, which knows no services, over CIDs and keys that callers send. */
const OVER_INPUT = [InvalidCidError, InvalidKeyError]

/** What an error looks like on the wire. */
export const toXrpcError = (error: unknown): XRPCError =>
  domainToXrpcError(
    OVER_INPUT.some((invalid) => error instanceof invalid)
      ? new DomainError('invalid', (error as Error).message, undefined, { cause: error })
      : error,
  )
