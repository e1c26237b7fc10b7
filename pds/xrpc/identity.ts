/** What the methods that resolve identities have in common. */
import { INVALID_HANDLE } from '@atproto/syntax'
import { InvalidRequestError } from '@atproto/xrpc-server'
import { logger } from '#platform/log.ts'
import { statusOf } from '../accounts/status.ts'
import { identityData } from '../identity/did-documents.ts'
import { HandleError } from '../identity/handles.ts'
import type { Services } from '../services.ts'

const log = logger('identity')

const HANDLE_NOT_FOUND = 'HandleNotFound'

type Parts = Pick<Services, 'accounts' | 'handles' | 'didDocuments'>

/**
 * The DID that a handle resolves to: by our accounts for names of ours, elsewhere by DNS and
 * well-known pages.
 * @throws InvalidRequestError `HandleNotFound`, HandleError
 */
async function didOfHandle({ accounts, handles }: Parts, name: string): Promise<string> {
  const handle = handles.normalize(name)
  const account = accounts.find(handle)
  if (account !== undefined && statusOf(account) === 'active') return account.did
  const did = handles.isLocal(handle) ? undefined : await handles.resolve(handle)
  if (did === undefined) throw new InvalidRequestError('Unable to resolve handle', HANDLE_NOT_FOUND)
  return did
}

/**
 * An identity, whose handle is shown only when it and the document name each other.
 * @throws InvalidRequestError `HandleNotFound`, HandleError, DidError
 */
export async function identityInfo(
  parts: Parts,
  identifier: string,
  options: { fresh?: boolean } = {},
): Promise<object> {
  const did = identifier.startsWith('did:') ? identifier : await didOfHandle(parts, identifier)
  const didDoc = await parts.didDocuments.resolve(did, options)
  const { handle } = identityData(didDoc)
  const isMutual = handle !== undefined && (await resolvesTo(parts, handle, did))
  return { did, handle: isMutual ? handle : INVALID_HANDLE, didDoc }
}

/**
 * Whether a handle resolves to a DID. One that is malformed or resolves to nothing does not.
 * @throws what keeps it from being known
 */
async function resolvesTo(parts: Parts, handle: string, did: string): Promise<boolean> {
  try {
    return (await didOfHandle(parts, handle)) === did
  } catch (error) {
    const isAnswer =
      error instanceof HandleError ||
      (error instanceof InvalidRequestError && error.customErrorName === HANDLE_NOT_FOUND)
    if (isAnswer) return false
    log.warn(
      {
        err: error,
        handle,
        did,
        todo: 'see whether the database and the name servers answer; the identity was not shown, and can be asked for again',
      },
      'it cannot be told whether a handle resolves to its DID',
    )
    throw error
  }
}
