/** Signing in with a password. What the tokens of a session are is in `sessions.ts`. */
import type { Account } from '../store/accounts.ts'
import type { AppPassword } from '../store/app-passwords.ts'
import type { Store } from '../store/store.ts'
import { hashAppPassword, PASSWORD_CHARACTERS_MAX, verifyPassword } from './credentials/passwords.ts'
import { LoginError } from './errors.ts'

/** Who signed in, and how. */
export interface Login {
  readonly account: Account
  /** Undefined: with the account's own password. */
  readonly appPassword: AppPassword | undefined
}

export class PasswordSignIn {
  readonly #store: Store

  constructor(store: Store) {
    this.#store = store
  }

  /**
   * The account with this identifier (handle, DID or email address) and password, or one of its app
   * passwords. The second factor is checked afterwards: `SecondFactors.assertAtSignIn`.
   * @param options `allowTakendown`: also accepts a taken down account, with its own password
   * @throws LoginError
   */
  async login(identifier: string, password: string, { allowTakendown = false } = {}): Promise<Login> {
    assertTriable(password)
    const { accounts } = this.#store
    const name = identifier.toLowerCase()
    const account = name.includes('@') ? accounts.byEmail(name) : accounts.find(name)
    const stored = account && this.#store.credentials.password(account.id)
    const right = await isPasswordOf(stored, password)
    const appPassword = right ? undefined : await this.#appPassword(account, password)
    if (account === undefined || !(right || appPassword !== undefined)) throw new LoginError()
    if (account.takedownRef !== null) {
      if (appPassword !== undefined) throw new LoginError()
      if (!allowTakendown) throw new LoginError('Account has been taken down', 'AccountTakedown')
    }
    return { account, appPassword }
  }

  async #appPassword(account: Account | undefined, password: string): Promise<AppPassword | undefined> {
    // Made here, so no blank around it is part of it.
    const hash = await hashAppPassword(account?.did ?? '', password.trim())
    return account && this.#store.appPasswords.byPassword(account.id, hash)
  }
}

/**
 * Checks the password of an account, which is not one of its app passwords.
 * @throws LoginError
 */
export async function assertPassword(store: Store, id: number, password: string): Promise<void> {
  if (!(await isPasswordOf(store.credentials.password(id), password))) {
    throw new LoginError('Invalid did or password')
  }
}

/**
 * Whether a password is an account's. An empty one opens nothing, not even an account that has got
 * one.
 */
async function isPasswordOf(stored: string | null | undefined, password: string): Promise<boolean> {
  // An account that is not there takes as long as a wrong password.
  return (await verifyPassword(password, stored ?? NO_PASSWORD)) && password !== ''
}

/** @throws LoginError for a text so long that hashing it would take too long */
export function assertTriable(password: string): void {
  if (password.length > PASSWORD_CHARACTERS_MAX) {
    throw new LoginError('Password too long. Consider resetting your password.')
  }
}

/** A stored hash that no password has. */
const NO_PASSWORD = `${'0'.repeat(32)}:${'0'.repeat(128)}`
