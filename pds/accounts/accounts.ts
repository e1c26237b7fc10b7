/** Accounts: made, signed in to, renamed. What the tokens of a session are is in `sessions.ts`. */

import { isEmailValid } from '@hapi/address'
import { isDisposableEmail } from 'disposable-email-domains-js'
import { crashPoint } from '#platform/crash-points.ts'
import { DomainError } from '#platform/errors.ts'
import type { Logger } from '#platform/log.ts'
import { networkOf } from '#platform/network-of.ts'
import type { Tx } from '#platform/sqlite.ts'
import type { SigningKey } from '#protocol/keys.ts'
import type { Firehose } from '../firehose/firehose.ts'
import { type DidDocuments, identityData } from '../identity/did-documents.ts'
import { HandleError, type HandleOptions, type Handles } from '../identity/handles.ts'
import type { Plc } from '../identity/plc.ts'
import type { ReservedKeys } from '../repo/keys/reserved-keys.ts'
import type { SigningKeys } from '../repo/keys/signing-keys.ts'
import type { RepoWriter } from '../repo/write.ts'
import type { Account, NewAccount } from '../store/accounts.ts'
import type { AppPassword } from '../store/app-passwords.ts'
import type { Store } from '../store/store.ts'
import type { EmailTokens } from './credentials/email-tokens.ts'
import {
  hashAppPassword,
  hashPassword,
  NEW_PASSWORD_CHARACTERS_MAX,
  PASSWORD_CHARACTERS_MAX,
  verifyPassword,
} from './credentials/passwords.ts'
import type { Deletions } from './deletions.ts'
import { InviteError, type Invites } from './invites.ts'
import type { Sessions, SessionTokens } from './sessions.ts'
import { statusOf } from './status.ts'

/** Accounts that are looked at for one page of those with a collection, and how many at once. */
const COLLECTION_ACCOUNTS_MAX = 5_000
const COLLECTION_PAGE_ACCOUNTS = 500

/** An account that cannot be made or changed as asked. `code` is the XRPC error name where the reference gives one. */
export class AccountError extends DomainError<AccountErrorCode | undefined> {
  override name = 'AccountError'
  constructor(message: string, code?: AccountErrorCode) {
    super('invalid', message, code)
  }
}

type AccountErrorCode =
  | 'AccountNotFound'
  | 'AlreadyExists'
  | 'HandleNotAvailable'
  | 'InvalidEmail'
  | 'InvalidPassword'
  | 'QuotaExceeded'
  | 'TokenRequired'

/** A sign-in that failed. Says no more than that to a stranger. */
export class LoginError extends DomainError<'AccountTakedown' | 'AuthFactorTokenRequired' | undefined> {
  override name = 'LoginError'
  constructor(message = 'Invalid identifier or password', code?: LoginError['code']) {
    super('unauthenticated', message, code)
  }
}

/** A repository that is not served: there is none, or its account is not active. `code` is the XRPC error name. */
export class RepoUnavailableError extends DomainError<'RepoNotFound' | 'RepoTakendown' | 'RepoDeactivated'> {
  override name = 'RepoUnavailableError'
  constructor(code: RepoUnavailableError['code'], message: string) {
    super('notFound', message, code)
  }
}

export interface NewAccountInput {
  readonly handle: string
  readonly email?: string
  readonly password?: string
  readonly inviteCode?: string
  /** An identity of the owner's own; left out, one is made. */
  readonly did?: string
  /** A did:key of the owner's, put before the server's own rotation key. */
  readonly recoveryKey?: string
}

export interface AccountsOptions {
  readonly publicUrl: string
  /** A did:key of the operator's that new identities get as a rotation key. */
  readonly recoveryDidKey?: string
  /** The shortest password that can be chosen. */
  readonly passwordCharactersMin: number
}

/** Limits on accounts that move in: `Moves`. */
export interface MovingIn {
  assertPlace(network: string): void
  endsAt(now: string): string
}

/** What a new account is found and entered by, checked. `password` is the scrypt hash. */
interface Credentials {
  readonly handle: string
  readonly email: string
  readonly password: string | null
  readonly inviteCode: string | undefined
  readonly keepSession: boolean
}

/** Who signed in, and how. */
export interface Login {
  readonly account: Account
  /** Undefined: with the account's own password. */
  readonly appPassword: AppPassword | undefined
}

export class Accounts {
  readonly #store: Store
  readonly #handles: Handles
  readonly #plc: Plc
  readonly #didDocuments: DidDocuments
  readonly #keys: SigningKeys
  readonly #reservedKeys: ReservedKeys
  readonly #deletions: Deletions
  readonly #emailTokens: EmailTokens
  readonly #writer: RepoWriter
  readonly #firehose: Firehose
  readonly #sessions: Sessions
  readonly #invites: Invites
  readonly #moves: MovingIn
  readonly #log: Logger
  readonly #options: AccountsOptions
  /**
   * Handles that are about to be somebody's, and addresses and identities of accounts that are being made: two calls at once must not both
   * name one in the directory.
   */
  readonly #inMaking = new Set<string>()

  constructor(
    parts: {
      store: Store
      handles: Handles
      plc: Plc
      didDocuments: DidDocuments
      keys: SigningKeys
      reservedKeys: ReservedKeys
      deletions: Deletions
      emailTokens: EmailTokens
      writer: RepoWriter
      firehose: Firehose
      sessions: Sessions
      invites: Invites
      moves: MovingIn
      log: Logger
    },
    options: AccountsOptions,
  ) {
    this.#store = parts.store
    this.#handles = parts.handles
    this.#plc = parts.plc
    this.#didDocuments = parts.didDocuments
    this.#keys = parts.keys
    this.#reservedKeys = parts.reservedKeys
    this.#deletions = parts.deletions
    this.#emailTokens = parts.emailTokens
    this.#writer = parts.writer
    this.#firehose = parts.firehose
    this.#sessions = parts.sessions
    this.#invites = parts.invites
    this.#moves = parts.moves
    this.#log = parts.log
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
   * Active accounts that have records of a collection, in the order of their ids after `after`. Looks at a limited number of accounts, so a
   * page may be short, or empty, although more follow.
   * @returns `next`: where to go on; undefined at the end
   */
  withCollection(
    collection: string,
    after: number,
    limit: number,
  ): { dids: string[]; next: number | undefined } {
    const dids: string[] = []
    let last = after
    for (let seen = 0; seen < COLLECTION_ACCOUNTS_MAX; seen += COLLECTION_PAGE_ACCOUNTS) {
      const page = this.#store.accounts.pageWithCollection(collection, last, COLLECTION_PAGE_ACCOUNTS)
      for (const account of page) {
        last = account.id
        if (account.hasCollection === 1 && statusOf(account) === 'active') dids.push(account.did)
        if (dids.length === limit) return { dids, next: last }
      }
      if (page.length < COLLECTION_PAGE_ACCOUNTS) return { dids, next: undefined }
    }
    return { dids, next: last }
  }

  /**
   * Makes an account, its empty repository and its first session; and its identity, unless the owner brings one: then the account is
   * not active until `Standing.activate`.
   * @param options `requester`: who proved themself by a service token; `keepSession`: whether the session can be kept alive; `address`: from
   * where it is asked, for the share of moves that a network has
   * @throws AccountError, InviteError, HandleError, DomainError, PlcError
   */
  async create(
    input: NewAccountInput,
    {
      requester,
      keepSession = true,
      address,
    }: { requester?: string; keepSession?: boolean; address?: string | undefined } = {},
  ): Promise<{ did: string; handle: string } & SessionTokens> {
    // Before what would also be in the way: the handle, the address and the invite code that the account here has.
    if (input.did !== undefined && input.did === requester) this.#assertNotHere(input.did)
    const { email, password } = this.#assertCredentials(input)
    const handle = await this.#handles.assertAllowed(input.handle, input.did)
    const inviteCode = input.inviteCode?.trim()
    using _invite = inviteCode ? this.#invites.hold(inviteCode) : undefined
    const names = [handle, email, ...(input.did === undefined ? [] : [input.did])]
    this.#assertFree({ handle, email: input.email ?? email })
    if (this.#inMaking.has(handle)) throw new AccountError(`Handle already taken: ${handle}`)
    if (this.#inMaking.has(email)) throw new AccountError(`Email already taken: ${input.email}`)
    if (input.did !== undefined) {
      if (input.did !== requester)
        throw new DomainError('unauthenticated', `Missing auth to create account with did: ${input.did}`)
      this.#assertNotHere(input.did)
      this.#moves.assertPlace(networkOf(address))
    }
    for (const name of names) this.#inMaking.add(name)
    try {
      const passwordHash = password === undefined ? null : await hashPassword(password)
      const credentials = { handle, email, password: passwordHash, inviteCode, keepSession }
      return input.did === undefined
        ? await this.#make(credentials, input.recoveryKey)
        : await this.#receive(credentials, input.did, networkOf(address))
    } finally {
      for (const name of names) this.#inMaking.delete(name)
    }
  }

  /**
   * Checks that a new account could have the handle.
   * @throws HandleError
   */
  async assertHandleAvailable(wanted: string): Promise<void> {
    const handle = await this.#handles.assertAllowed(wanted, undefined)
    if (this.#store.accounts.byHandle(handle) !== undefined || this.#inMaking.has(handle)) {
      throw new HandleError(`Handle already taken: ${handle}`, 'taken')
    }
  }

  #assertNotHere(did: string): void {
    if (this.#store.accounts.byDid(did) !== undefined || this.#inMaking.has(did)) {
      throw new AccountError('Repo already exists', 'AlreadyExists')
    }
  }

  #assertFree({ handle, email }: Pick<Credentials, 'handle' | 'email'>): void {
    const { accounts } = this.#store
    if (accounts.byHandle(handle) !== undefined) throw new AccountError(`Handle already taken: ${handle}`)
    if (accounts.byEmail(email.toLowerCase()) !== undefined) {
      throw new AccountError(`Email already taken: ${email}`)
    }
  }

  /** Makes an account with a new identity. */
  async #make(credentials: Credentials, recoveryKey: string | undefined) {
    const { key, encrypted } = this.#keys.generate()
    const { did, op } = await this.#newIdentity(credentials.handle, key, recoveryKey)
    const sessionGeneration = this.#store.accounts.nextSessionGeneration(did)
    const tokens = await this.#sessions.issue({ did, sessionGeneration })
    // The directory comes first: an identity without an account is a name that nobody uses, an account without an identity is broken.
    await this.#plc.send(did, op)
    crashPoint('account.beforeRow')
    try {
      await this.#store.db.write((tx) => {
        const row = { did, signingKey: encrypted, deactivatedAt: null, sessionGeneration }
        const id = this.#insert(tx, credentials, row, tokens)
        this.#writer.create(tx, { id, did }, credentials.handle, key)
      })
    } catch (error) {
      // Nobody will ever use it.
      await this.#plc.tombstone(did).catch((cause) =>
        this.#log.warn(
          {
            err: cause,
            did,
            todo: 'nothing is lost: an account could not be made, and its new identity is not used',
          },
          'an identity stays',
        ),
      )
      throw error
    }
    return { did, handle: credentials.handle, ...tokens }
  }

  /** Makes an account for an identity from elsewhere, which moves in by and by. */
  async #receive(credentials: Credentials, did: string, network: string) {
    const { key, encrypted } = this.#reservedKeys.for(did)
    const sessionGeneration = this.#store.accounts.nextSessionGeneration(did)
    const tokens = await this.#sessions.issue({ did, sessionGeneration })
    await this.#store.db.write((tx) => {
      // Others may have begun theirs while the password was hashed.
      this.#moves.assertPlace(network)
      const move = { network, endsAt: this.#moves.endsAt(tx.now) }
      const row = { did, signingKey: encrypted, deactivatedAt: tx.now, sessionGeneration, move }
      const id = this.#insert(tx, credentials, row, tokens)
      this.#writer.create(tx, { id, did }, null, key)
      this.#reservedKeys.clear(tx, did)
    })
    return { did, handle: credentials.handle, ...tokens }
  }

  #insert(
    tx: Tx,
    { handle, email, password, inviteCode, keepSession }: Credentials,
    row: Omit<NewAccount, 'handle' | 'email' | 'password'>,
    tokens: SessionTokens,
  ): number {
    // Somebody may have changed his address to it while the identity was made.
    this.#assertFree({ handle, email })
    if (inviteCode) this.#invites.use(tx, inviteCode, row.did)
    const id = this.#store.accounts.insert(tx, { ...row, handle, email, password })
    if (keepSession) this.#sessions.keep(tx, id, tokens)
    return id
  }

  /**
   * The account of an identifier (handle, DID or e-mail address) and its password, or one of its app passwords. A second factor is asked for
   * after it: `SecondFactors.assertAtSignIn`.
   * @param options `allowTakendown`: also let in, by its own password, who was taken down
   * @throws LoginError
   */
  async login(identifier: string, password: string, { allowTakendown = false } = {}): Promise<Login> {
    assertTriable(password)
    const { accounts } = this.#store
    const name = identifier.toLowerCase()
    const account = name.includes('@') ? accounts.byEmail(name) : accounts.find(name)
    const stored = account && accounts.password(account.id)
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

  /**
   * Deletes an account on its owner's word.
   * @param code the mailed one
   * @throws AccountError, LoginError, EmailTokenError
   */
  async delete(did: string, password: string, code: string): Promise<void> {
    assertTriable(password)
    const account = this.#store.accounts.byDid(did)
    if (account === undefined) throw new AccountError('account not found')
    const stored = this.#store.accounts.password(account.id)
    if (!(await isPasswordOf(stored, password))) {
      throw new LoginError('Invalid did or password')
    }
    await this.#store.db.write((tx) => {
      // Twice at once, it is deleted once.
      if (this.#store.accounts.byId(account.id) === undefined) throw new AccountError('account not found')
      this.#emailTokens.assertValid('delete_account', account.id, code)
      this.#deletions.begin(tx, account)
    })
  }

  /** Deletes an account on the operator's word; nothing when there is none. */
  async remove(did: string): Promise<void> {
    await this.#store.db.write((tx) => {
      const account = this.#store.accounts.byDid(did)
      if (account !== undefined) this.#deletions.begin(tx, account)
    })
  }

  /**
   * Gives an account another handle: in its identity's document, here, and on the firehose.
   * @throws HandleError, AccountError, PlcError
   */
  async updateHandle(account: Account, wanted: string, options: HandleOptions = {}): Promise<void> {
    if (account.takedownRef !== null) throw new AccountError('Account not found')
    const handle = await this.#handles.assertAllowed(wanted, account.did, options)
    const holder = this.#store.accounts.byHandle(handle)
    if ((holder !== undefined && holder.id !== account.id) || this.#inMaking.has(handle)) {
      throw new HandleError(`Handle already taken: ${handle}`, 'taken')
    }
    this.#inMaking.add(handle)
    try {
      await this.#nameInIdentity(account.did, handle)
      crashPoint('handle.beforeRow')
      await this.#store.db.write((tx) => this.#setHandle(tx, account, handle))
    } finally {
      this.#inMaking.delete(handle)
    }
  }

  /** A document in the directory is changed; one that its owner publishes himself must name the handle already. */
  async #nameInIdentity(did: string, handle: string): Promise<void> {
    if (did.startsWith('did:plc:')) return this.#plc.updateHandle(did, handle)
    const document = await this.#didDocuments.resolve(did, { fresh: true })
    if (identityData(document).handle !== handle) {
      throw new AccountError('DID is not properly configured for handle')
    }
  }

  #setHandle(tx: Tx, { id, did }: Account, handle: string): void {
    const holder = this.#store.accounts.byHandle(handle)
    if (holder !== undefined && holder.id !== id) {
      throw new HandleError(`Handle already taken: ${handle}`, 'taken')
    }
    if (this.#store.accounts.byId(id) === undefined) throw new AccountError('Account not found')
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
    if (password !== undefined) assertPasswordLongEnough(password, this.#options.passwordCharactersMin)
    if (this.#invites.required && !inviteCode?.trim()) {
      throw new InviteError('No invite code provided', 'InvalidInviteCode')
    }
    if (!email) throw new AccountError('Email is required')
    assertEmailSupported(email)
    return { email: email.toLowerCase(), password }
  }
}

/** @throws AccountError for what is no address, or one to be thrown away */
export function assertEmailSupported(email: string): void {
  if (!isEmailValid(email) || isDisposableEmail(email)) {
    throw new AccountError('This email address is not supported, please use a different email.')
  }
}

/** @throws AccountError for a new password that is shorter than the server asks for, and always for an empty one */
export function assertPasswordLongEnough(password: string, charactersMin: number): void {
  if (password === '') throw new AccountError('Password must not be empty.', 'InvalidPassword')
  if (password.length < charactersMin) {
    throw new AccountError(
      `Password too short. Minimum length is ${charactersMin} characters.`,
      'InvalidPassword',
    )
  }
}

/** Whether a password is an account's. An empty one opens nothing, not even an account that has got one. */
async function isPasswordOf(stored: string | null | undefined, password: string): Promise<boolean> {
  // An account that is not there takes as long as a wrong password.
  return (await verifyPassword(password, stored ?? NO_PASSWORD)) && password !== ''
}

function assertTriable(password: string): void {
  if (password.length > PASSWORD_CHARACTERS_MAX) {
    throw new LoginError('Password too long. Consider resetting your password.')
  }
}

/** A stored hash that no password has. */
const NO_PASSWORD = `${'0'.repeat(32)}:${'0'.repeat(128)}`
