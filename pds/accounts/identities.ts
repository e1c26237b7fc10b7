/**
 * The DIDs of accounts, as far as this host controls them: what a document must contain for an
 * account to live here, and PLC operations that its owner requests with a mailed code.
 */

import type { Operation } from '@did-plc/lib'
import { DomainError } from '#platform/errors.ts'
import type { Firehose } from '../firehose/firehose.ts'
import { type DidDocuments, DidError, identityData } from '../identity/did-documents.ts'
import { type OperationChanges, type Plc, PlcError } from '../identity/plc.ts'
import type { SigningKeys } from '../repo/keys/signing-keys.ts'
import type { Account } from '../store/accounts.ts'
import type { Store } from '../store/store.ts'
import type { EmailTokens } from './credentials/email-tokens.ts'

/** An identity, or an operation on it, that does not fit this host. */
export class IdentityError extends DomainError {
  override name = 'IdentityError'
  constructor(message: string) {
    super('invalid', message)
  }
}

/** What an identity should say of an account that lives here. */
export interface RecommendedCredentials {
  readonly alsoKnownAs: readonly string[] | undefined
  readonly verificationMethods: { readonly atproto: string }
  readonly rotationKeys: readonly string[]
  readonly services: { readonly atproto_pds: { readonly type: string; readonly endpoint: string } }
}

export interface IdentitiesOptions {
  readonly publicUrl: string
  /** A did:key of the operator's, recommended before the server's own. */
  readonly recoveryDidKey: string | undefined
}

const PDS_TYPE = 'AtprotoPersonalDataServer'
/** What the directory answers for a tombstone. */
const GONE = 410

interface Deps {
  readonly store: Store
  readonly firehose: Firehose
  readonly plc: Plc
  readonly didDocuments: DidDocuments
  readonly keys: SigningKeys
  readonly emailTokens: EmailTokens
}

export class Identities {
  readonly #deps: Deps
  readonly #options: IdentitiesOptions

  constructor(deps: Deps, options: IdentitiesOptions) {
    this.#deps = deps
    this.#options = options
  }

  /** What the account's identity should say. */
  recommended({ id, handle }: Account): RecommendedCredentials {
    const { recoveryDidKey, publicUrl } = this.#options
    return {
      alsoKnownAs: handle === null ? undefined : [`at://${handle}`],
      verificationMethods: { atproto: this.#deps.keys.of(id).did },
      rotationKeys: [...(recoveryDidKey === undefined ? [] : [recoveryDidKey]), this.#deps.plc.rotationKey],
      services: { atproto_pds: { type: PDS_TYPE, endpoint: publicUrl } },
    }
  }

  /**
   * Checks that a DID document names this host and the account's signing key here. Whether this
   * host has a rotation key is the owner's choice: an owner with only their own keys signs each
   * change themselves. Refreshes the cached DID document.
   * @throws IdentityError, DidError, PlcError
   */
  async assertNamesUs(did: string): Promise<void> {
    const account = this.#deps.store.accounts.byDid(did)
    const said = await this.#whatItSays(did)
    if (said.pds !== this.#options.publicUrl) {
      throw new IdentityError('DID document atproto_pds service endpoint does not match PDS public url')
    }
    if (account === undefined || said.signingKey !== this.#deps.keys.of(account.id).did) {
      throw new IdentityError('DID document verification method does not match expected signing key')
    }
  }

  /**
   * Where an account's DID points now, before an act that cannot be undone: here if the document
   * names this host or the account's key here; unknown unless the PLC directory or website says
   * otherwise.
   */
  async whereIs({ id, did }: Pick<Account, 'id' | 'did'>): Promise<'here' | 'elsewhere' | 'unknown'> {
    try {
      const { pds, signingKey } = await this.#whatItSays(did)
      const isHere =
        originOf(pds) === originOf(this.#options.publicUrl) || signingKey === this.#deps.keys.of(id).did
      return isHere ? 'here' : 'elsewhere'
    } catch (error) {
      // A tombstoned DID is nowhere. Any other error, even a missing did:web document, may be
      // temporary.
      return error instanceof PlcError && error.status === GONE ? 'elsewhere' : 'unknown'
    }
  }

  /** Whether an identity names this host and the account's key here. */
  async namesUs(did: string): Promise<boolean> {
    try {
      await this.assertNamesUs(did)
      return true
    } catch (error) {
      if (error instanceof IdentityError || error instanceof DidError || error instanceof PlcError)
        return false
      throw error
    }
  }

  /**
   * An operation of the owner's, signed with this host's rotation key and not sent anywhere.
   * @param code the mailed one; it is used up
   * @throws EmailTokenError, IdentityError, PlcError
   */
  async sign({ id, did }: Account, code: string, changes: OperationChanges): Promise<Operation> {
    await this.#deps.store.db.write((tx) => this.#deps.emailTokens.consume(tx, 'plc_operation', id, code))
    return this.#deps.plc.formatUpdate(did, changes)
  }

  /**
   * Sends an operation to the directory, if it leaves the account here.
   * @throws IdentityError, PlcError
   */
  async submit(account: Account, value: unknown): Promise<void> {
    const operation = this.#deps.plc.parse(value)
    const { services, verificationMethods, alsoKnownAs } = operation
    const pds = services.atproto_pds
    if (pds?.type !== PDS_TYPE) throw new IdentityError('Incorrect type on atproto_pds service')
    if (pds.endpoint !== this.#options.publicUrl) {
      throw new IdentityError('Incorrect endpoint on atproto_pds service')
    }
    if (verificationMethods.atproto !== this.#deps.keys.of(account.id).did) {
      throw new IdentityError('Incorrect signing key')
    }
    if (account.handle !== null && alsoKnownAs[0] !== `at://${account.handle}`) {
      throw new IdentityError('Incorrect handle in alsoKnownAs')
    }
    await this.#deps.plc.send(account.did, operation)
    await this.#deps.didDocuments.forget(account.did)
    await this.#deps.store.db.write((tx) => {
      if (this.#deps.store.accounts.byId(account.id) === undefined) return
      this.#deps.firehose.append(tx, account.id, { kind: 'identity', did: account.did })
    })
  }

  async #whatItSays(did: string) {
    // The directory itself is asked: its documents may be served from caches.
    if (did.startsWith('did:plc:')) {
      await this.#deps.didDocuments.forget(did)
      return this.#deps.plc.data(did)
    }
    return identityData(await this.#deps.didDocuments.resolve(did, { fresh: true }))
  }
}

const originOf = (url: string | undefined): string | undefined => URL.parse(url ?? '')?.origin
