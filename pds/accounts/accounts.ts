/** Accounts: made, signed in to, renamed. What the tokens of a session are is in `sessions.ts`. */
import { isEmailValid } from '@hapi/address'
import { isDisposableEmail } from 'disposable-email-domains-js'
import { crashPoint } from '#platform/crash-points.ts'
import type { Tx } from '#platform/sqlite.ts'
import type { SigningKey } from '#protocol/keys.ts'
import type { Firehose } from '../firehose/firehose.ts'
import { HandleError, type Handles } from '../identity/handles.ts'
import type { Plc } from '../identity/plc.ts'
import type { SigningKeys } from '../repo/signing-keys.ts'
import type { RepoWriter } from '../repo/write.ts'
import type { Account } from '../store/accounts.ts'
import type { Store } from '../store/store.ts'
import {
  hashPassword,
  NEW_PASSWORD_CHARACTERS_MAX,
  PASSWORD_CHARACTERS_MAX,
  verifyPassword,
} from './passwords.ts'
import type { Sessions, SessionTokens } from './sessions.ts'

/** An account that cannot be made or changed as asked. `code` is the XRPC error name where the reference gives one. */
export class AccountError extends Error {
  override name = 'AccountError'
  readonly code: 'InvalidInviteCode' | 'HandleNotAvailable' | undefined
  constructor(message: string, code?: AccountError['code']) {
    super(message)
    this.code = code
  }
}

/** A sign-in that failed. Says no more than that to a stranger. */
export class LoginError extends Error {
  override name = 'LoginError'
  readonly code: 'AccountTakedown' | undefined
  constructor(message = 'Invalid identifier or password', code?: LoginError['code']) {
    super(message)
    this.code = code
  }
}

/** A repository that is not served: there is none, or its account is not active. `code` is the XRPC error name. */
export class RepoUnavailableError extends Error {
  override name = 'RepoUnavailableError'
  readonly code: 'RepoNotFound' | 'RepoTakendown' | 'RepoDeactivated'
  constructor(code: RepoUnavailableError['code'], message: string) {
    super(message)
    this.code = code
  }
}

export interface NewAccountInput {
  readonly handle: string
  readonly email?: string
  readonly password?: string
  readonly inviteCode?: string
  /** A did:key of the owner's, put before the server's own rotation key. */
  readonly recoveryKey?: string
}

export interface AccountsOptions {
  readonly publicUrl: string
  readonly inviteRequired: boolean
  /** A did:key of the operator's that new identities get as a rotation key. */
  readonly recoveryDidKey?: string
}

export class Accounts {
  readonly #store: Store
  readonly #handles: Handles
  readonly #plc: Plc
  readonly #keys: SigningKeys
  readonly #writer: RepoWriter
  readonly #firehose: Firehose
  readonly #sessions: Sessions
  readonly #options: AccountsOptions
  /** Handles and addresses of accounts that are being made: two calls at once must not both make an identity for one. */
  readonly #inMaking = new Set<string>()

  constructor(
    parts: {
      store: Store
      handles: Handles
      plc: Plc
      keys: SigningKeys
      writer: RepoWriter
      firehose: Firehose
      sessions: Sessions
    },
    options: AccountsOptions,
  ) {
    this.#store = parts.store
    this.#handles = parts.handles
    this.#plc = parts.plc
    this.#keys = parts.keys
    this.#writer = parts.writer
    this.#firehose = parts.firehose
    this.#sessions = parts.sessions
    this.#options = options
  }

  /** The account that a DID or a handle names, whatever its status. */
  find(identifier: string): Account | undefined {
    return this.#store.accounts.find(identifier)
  }

  /**
   * The account whose repository is asked for by DID or handle.
   * @param evenInactive for the owner and the operator: also when it is deactivated or taken down
   * @throws RepoUnavailableError
   */
  hosted(identifier: string, { evenInactive = false } = {}): Account {
    const account = this.find(identifier)
    if (account === undefined) {
      throw new RepoUnavailableError('RepoNotFound', `Could not find repo for DID: ${identifier}`)
    }
    if (evenInactive) return account
    if (account.takedownRef !== null) {
      throw new RepoUnavailableError('RepoTakendown', `Repo has been takendown: ${identifier}`)
    }
    if (account.deactivatedAt !== null) {
      throw new RepoUnavailableError('RepoDeactivated', `Repo has been deactivated: ${identifier}`)
    }
    return account
  }

  /** Accounts with a repository, in order of creation. */
  list(after: { createdAt: string; did: string }, limit: number) {
    return this.#store.accounts.list(after, limit)
  }

  /**
   * Makes an account, its identity, its empty repository and its first session.
   * @throws AccountError, HandleError, PlcError
   */
  async create(input: NewAccountInput): Promise<{ did: string; handle: string } & SessionTokens> {
    const { email, password } = this.#assertCredentials(input)
    const handle = await this.#handles.assertAllowed(input.handle, undefined)
    const names = [handle, email]
    if (this.#store.accounts.byHandle(handle) !== undefined || this.#inMaking.has(handle)) {
      throw new AccountError(`Handle already taken: ${handle}`)
    }
    if (this.#store.accounts.byEmail(email) !== undefined || this.#inMaking.has(email)) {
      throw new AccountError(`Email already taken: ${email}`)
    }
    for (const name of names) this.#inMaking.add(name)
    try {
      return await this.#make(handle, email, password, input.recoveryKey)
    } finally {
      for (const name of names) this.#inMaking.delete(name)
    }
  }

  async #make(handle: string, email: string, password: string | undefined, recoveryKey: string | undefined) {
    const { key, encrypted } = this.#keys.generate()
    const [{ did, op }, passwordHash] = await Promise.all([
      this.#newIdentity(handle, key, recoveryKey),
      password === undefined ? null : hashPassword(password),
    ])
    const tokens = await this.#sessions.issue(did)
    // The directory comes first: an identity without an account is a name that nobody uses, an account without an identity is broken.
    await this.#plc.send(did, op)
    crashPoint('account.beforeRow')
    await this.#store.db.write((tx) => {
      const account = {
        did,
        handle,
        email,
        password: passwordHash,
        signingKey: encrypted,
        deactivatedAt: null,
      }
      const id = this.#store.accounts.insert(tx, account)
      this.#writer.create(tx, { id, did }, handle, key)
      this.#sessions.keep(tx, id, tokens)
    })
    return { did, handle, ...tokens }
  }

  /**
   * The account of an identifier (handle, DID or e-mail address) and its password.
   * @throws LoginError
   */
  async login(identifier: string, password: string): Promise<Account> {
    if (password.length > PASSWORD_CHARACTERS_MAX) {
      throw new LoginError('Password too long. Consider resetting your password.')
    }
    const { accounts } = this.#store
    const name = identifier.toLowerCase()
    const account = name.includes('@') ? accounts.byEmail(name) : accounts.find(name)
    const stored = account && accounts.password(account.id)
    // An account that is not there takes as long as a wrong password.
    const right = await verifyPassword(password, stored ?? NO_PASSWORD)
    if (account === undefined || stored == null || !right) throw new LoginError()
    if (account.takedownRef !== null) throw new LoginError('Account has been taken down', 'AccountTakedown')
    return account
  }

  /**
   * Gives an account another handle: in its identity's document, here, and on the firehose.
   * @throws HandleError, AccountError, PlcError
   */
  async updateHandle(account: Account, wanted: string): Promise<void> {
    const handle = await this.#handles.assertAllowed(wanted, account.did)
    const holder = this.#store.accounts.byHandle(handle)
    if (holder !== undefined && holder.id !== account.id) {
      throw new HandleError(`Handle already taken: ${handle}`, 'HandleNotAvailable')
    }
    await this.#plc.updateHandle(account.did, handle)
    crashPoint('handle.beforeRow')
    await this.#store.db.write((tx) => this.#setHandle(tx, account, handle))
  }

  #setHandle(tx: Tx, { id, did }: Account, handle: string): void {
    const holder = this.#store.accounts.byHandle(handle)
    if (holder !== undefined && holder.id !== id) {
      throw new HandleError(`Handle already taken: ${handle}`, 'HandleNotAvailable')
    }
    this.#store.accounts.setHandle(tx, id, handle)
    this.#firehose.append(tx, id, { kind: 'identity', did, handle })
  }

  #newIdentity(handle: string, key: SigningKey, recoveryKey: string | undefined) {
    const { recoveryDidKey, publicUrl } = this.#options
    const rotationKeys = [recoveryKey, recoveryDidKey].filter((key) => key !== undefined)
    return this.#plc.formatCreate({ signingKey: key.did, handle, pds: publicUrl, rotationKeys })
  }

  #assertCredentials({ email, password, inviteCode }: NewAccountInput): {
    email: string
    password: string | undefined
  } {
    if (password !== undefined && password.length > NEW_PASSWORD_CHARACTERS_MAX) {
      throw new AccountError(
        `Password too long. Maximum length is ${NEW_PASSWORD_CHARACTERS_MAX} characters.`,
      )
    }
    if (this.#options.inviteRequired) {
      throw inviteCode === undefined
        ? new AccountError('No invite code provided', 'InvalidInviteCode')
        : new AccountError('Provided invite code not available', 'InvalidInviteCode')
    }
    if (email === undefined) throw new AccountError('Email is required')
    if (!isEmailValid(email) || isDisposableEmail(email)) {
      throw new AccountError('This email address is not supported, please use a different email.')
    }
    return { email: email.toLowerCase(), password }
  }
}

/** A stored hash that no password has. */
const NO_PASSWORD = `${'0'.repeat(32)}:${'0'.repeat(128)}`
