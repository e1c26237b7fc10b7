/** Changing the handle of an account: in its identity's document, here, and on the firehose. */
import { crashPoint } from '#platform/crash-points.ts'
import type { Tx } from '#platform/sqlite.ts'
import type { Firehose } from '../firehose/firehose.ts'
import { type DidDocuments, identityData } from '../identity/did-documents.ts'
import { HandleError, type HandleOptions, type Handles } from '../identity/handles.ts'
import type { Plc } from '../identity/plc.ts'
import type { Account } from '../store/accounts.ts'
import type { Store } from '../store/store.ts'
import { AccountError } from './errors.ts'
import type { PendingNames } from './pending-names.ts'

interface Deps {
  readonly store: Store
  readonly handles: Handles
  readonly plc: Plc
  readonly didDocuments: DidDocuments
  readonly firehose: Firehose
  readonly pendingNames: PendingNames
}

export class HandleChanges {
  readonly #deps: Deps

  constructor(deps: Deps) {
    this.#deps = deps
  }

  /**
   * Checks that a new account could have the handle.
   * @throws HandleError
   */
  async assertAvailable(wanted: string): Promise<void> {
    const handle = await this.#deps.handles.assertAllowed(wanted, undefined)
    if (this.#deps.store.accounts.byHandle(handle) !== undefined || this.#deps.pendingNames.has(handle)) {
      throw new HandleError(`Handle already taken: ${handle}`, 'taken')
    }
  }

  /**
   * Gives an account another handle: in its identity's document, here, and on the firehose.
   * @throws HandleError, AccountError, PlcError
   */
  async update(account: Account, wanted: string, options: HandleOptions = {}): Promise<void> {
    if (account.takedownRef !== null) throw new AccountError('Account not found')
    const handle = await this.#deps.handles.assertAllowed(wanted, account.did, options)
    const holder = this.#deps.store.accounts.byHandle(handle)
    if ((holder !== undefined && holder.id !== account.id) || this.#deps.pendingNames.has(handle)) {
      throw new HandleError(`Handle already taken: ${handle}`, 'taken')
    }
    using _name = this.#deps.pendingNames.hold(handle)
    await this.#nameInIdentity(account.did, handle)
    crashPoint('handle.beforeRow')
    await this.#deps.store.db.write((tx) => this.#setHandle(tx, account, handle))
  }

  /** Updates a did:plc document; one that its owner publishes must name the handle already. */
  async #nameInIdentity(did: string, handle: string): Promise<void> {
    if (did.startsWith('did:plc:')) return this.#deps.plc.updateHandle(did, handle)
    const document = await this.#deps.didDocuments.resolve(did, { fresh: true })
    if (identityData(document).handle !== handle) {
      throw new AccountError('DID is not properly configured for handle')
    }
  }

  #setHandle(tx: Tx, { id, did }: Account, handle: string): void {
    const holder = this.#deps.store.accounts.byHandle(handle)
    if (holder !== undefined && holder.id !== id) {
      throw new HandleError(`Handle already taken: ${handle}`, 'taken')
    }
    if (this.#deps.store.accounts.byId(id) === undefined) throw new AccountError('Account not found')
    this.#deps.store.accounts.setHandle(tx, id, handle)
    this.#deps.firehose.append(tx, id, { kind: 'identity', did, handle })
  }
}
