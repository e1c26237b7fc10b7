/** DID documents: resolved under the guard, kept for a while. */

import { getHandle, getPdsEndpoint, getVerificationMaterial } from '@atproto/common-web'
import {
  type DidCache,
  type DidDocument,
  DidNotFoundError,
  type DidResolver,
  PoorlyFormattedDidError,
  UnsupportedDidMethodError,
  UnsupportedDidWebPathError,
} from '@atproto/identity'
import { DomainError } from '#platform/errors.ts'
import { formatDidKey, KeyError, parseVerificationMethod } from '#protocol/keys.ts'
import type { Plc } from './plc.ts'

/**
 * A DID without a document. `code` is the XRPC error name; undefined when its document cannot be
 * had now.
 */
export class DidError extends DomainError<'DidNotFound' | 'DidDeactivated' | undefined> {
  override name = 'DidError'
  constructor(message: string, code?: DidError['code'], options?: ErrorOptions) {
    super('notFound', message, code, options)
  }
}

/** What a document says of an account, as far as it says it. */
export interface IdentityData {
  /** The did:key that commits and service tokens are signed with. */
  readonly signingKey: string | undefined
  readonly handle: string | undefined
  /** The URL of the host. */
  readonly pds: string | undefined
}

export class DidDocuments {
  readonly #resolver: DidResolver
  readonly #directory: Pick<Plc, 'isTombstoned'>

  constructor(resolver: DidResolver, directory: Pick<Plc, 'isTombstoned'>) {
    this.#resolver = resolver
    this.#directory = directory
  }

  /**
   * The document.
   * @param options `fresh`: what is kept is not used
   * @throws DidError
   */
  async resolve(did: string, { fresh = false } = {}): Promise<DidDocument> {
    try {
      return await this.#resolver.ensureResolve(did, fresh)
    } catch (error) {
      // The directory has no document of an identity that is over, either.
      if (error instanceof DidNotFoundError && (await this.#directory.isTombstoned(did))) {
        throw new DidError(`DID is deactivated: ${did}`, 'DidDeactivated')
      }
      if (isUnknown(error)) throw new DidError(`Could not resolve DID: ${did}`, 'DidNotFound')
      throw new DidError(`Could not resolve DID: ${did}`, undefined, { cause: error })
    }
  }

  /** The document; undefined when there is none, or it cannot be had now. */
  async find(did: string, options: { fresh?: boolean } = {}): Promise<DidDocument | undefined> {
    try {
      return await this.resolve(did, options)
    } catch (error) {
      if (error instanceof DidError) return undefined
      throw error
    }
  }

  /** Forgets what is kept of a document: it was changed. */
  async forget(did: string): Promise<void> {
    await (this.#resolver.cache as DidCache | undefined)?.clearEntry(did)
  }
}

/** What a document says of its account. */
export function identityData(document: DidDocument): IdentityData {
  return {
    signingKey: keyIn(document, 'atproto'),
    handle: getHandle(document),
    pds: getPdsEndpoint(document),
  }
}

/**
 * A key of a document as a did:key; undefined when it has no such key.
 * @param name the id of the verification method, without the `#`
 */
export function keyIn(document: DidDocument, name: string): string | undefined {
  const method = getVerificationMaterial(document, name)
  if (method === undefined) return undefined
  try {
    return formatDidKey(parseVerificationMethod(method))
  } catch (error) {
    if (error instanceof KeyError) return undefined
    throw error
  }
}

function isUnknown(error: unknown): boolean {
  return (
    error instanceof DidNotFoundError ||
    error instanceof PoorlyFormattedDidError ||
    error instanceof UnsupportedDidMethodError ||
    error instanceof UnsupportedDidWebPathError
  )
}
