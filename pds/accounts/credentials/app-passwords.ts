/** App passwords: made here, shown once, and good for less than the account's own. */
import type { Account } from '../../store/accounts.ts'
import type { AppPassword } from '../../store/app-passwords.ts'
import type { Store } from '../../store/store.ts'
import { AccountError } from '../errors.ts'
import { randomBase32 } from './codes.ts'
import { hashAppPassword } from './passwords.ts'

export type { AppPassword } from '../../store/app-passwords.ts'

type Owner = Pick<Account, 'id' | 'did' | 'sessionGeneration'>

export class AppPasswords {
  readonly #store: Store

  constructor(store: Store) {
    this.#store = store
  }

  /**
   * Makes an app password, `xxxx-xxxx-xxxx-xxxx`.
   * @param privileged whether it also opens direct messages and the like
   * @param owner as they were when they proved who they are
   * @throws AccountError when the account has one of that name, or its sessions were ended since
   */
  async create({ id, did, sessionGeneration }: Owner, name: string, privileged: boolean) {
    const password = Array.from({ length: 4 }, () => randomBase32(4)).join('-')
    const hash = await hashAppPassword(did, password)
    const createdAt = await this.#store.db.write((tx) => {
      if (this.#store.accounts.byId(id)?.sessionGeneration !== sessionGeneration) {
        throw new AccountError('the session was ended meanwhile')
      }
      if (this.#store.appPasswords.byName(id, name) !== undefined) {
        throw new AccountError('there is an app password of that name already')
      }
      this.#store.appPasswords.insert(tx, { account: id, name, password: hash, privileged })
      return tx.now
    })
    return { name, password, createdAt, privileged }
  }

  /** An account's, newest first. */
  list({ id }: Owner): AppPassword[] {
    return this.#store.appPasswords.list(id)
  }

  /** Takes an app password back, and with it the sessions that it began. */
  async revoke({ id }: Owner, name: string): Promise<void> {
    await this.#store.db.write((tx) => {
      this.#store.appPasswords.delete(tx, id, name)
      this.#store.sessions.deleteOfAppPassword(tx, id, name)
    })
  }
}
