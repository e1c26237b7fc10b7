/** The domain's errors in the words of the OAuth library, whose pages know some of them by name. */
import { HandleUnavailableError, InvalidRequestError } from '@atproto/oauth-provider/errors'
import { isByCaller } from '#platform/errors.ts'
import { InviteError } from '../accounts/invites.ts'
import { HandleError } from '../identity/handles.ts'
import { PlcError } from '../identity/plc.ts'

/** Converts errors of the caller to the library's; returns others unchanged. */
function toProviderError(error: unknown): unknown {
  if (error instanceof HandleError) return new HandleUnavailableError(error.reason, error.message, error)
  if (error instanceof InviteError) {
    return new InvalidRequestError(`This invite code is invalid. ${error.message}`, error)
  }
  // The page that waits shows the error of the PLC directory.
  if (isByCaller(error) || error instanceof PlcError) return new InvalidRequestError(error.message, error)
  return error
}

/**
 * Does something, with its errors in the library's words.
 * @throws OAuthError
 */
export async function inProviderTerms<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw toProviderError(error)
  }
}
