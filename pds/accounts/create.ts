/** Creating an account: with a new identity, or for one that moves in from elsewhere. */
import { crashPoint } from '#platform/crash-points.ts'
import { DomainError } from '#platform/errors.ts'
import type { Logger } from '#platform/log.ts'
import { networkOf } from '#platform/network-of.ts'
import type { Tx } from '#platform/sqlite.ts'
import type { SigningKey } from '#protocol/keys.ts'
import type { Handles } from '../identity/handles.ts'
import type { Plc } from '../identity/plc.ts'
import type { ReservedKeys } from '../repo/keys/reserved-keys.ts'
import type { SigningKeys } from '../repo/keys/signing-keys.ts'
import type { RepoWriter } from '../repo/write.ts'
import type { NewAccount } from '../store/accounts.ts'
import type { Store } from '../store/store.ts'
import {
  assertPasswordLongEnough,
  hashPassword,
  NEW_PASSWORD_CHARACTERS_MAX,
} from './credentials/passwords.ts'
import { assertEmailSupported } from './emails.ts'
import { AccountError } from './errors.ts'
import { InviteError, type Invites } from './invites.ts'
import type { PendingNames } from './pending-names.ts'
import type { Sessions, SessionTokens } from './sessions.ts'

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

export interface AccountCreationOptions {
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

interface Deps {
  readonly store: Store
  readonly handles: Handles
  readonly plc: Plc
  readonly keys: SigningKeys
  readonly reservedKeys: ReservedKeys
  readonly writer: RepoWriter
  readonly sessions: Sessions
  readonly invites: Invites
  readonly moves: MovingIn
  readonly pendingNames: PendingNames
  readonly log: Logger
}

export class AccountCreation {
  readonly #deps: Deps
  readonly #options: AccountCreationOptions

  constructor(deps: Deps, options: AccountCreationOptions) {
    this.#deps = deps
    this.#options = options
  }

  /**
   * Makes an account, its empty repository and its first session; and its identity, unless the
   * owner brings one: then the account is not active until `Standing.activate`.
   * @param options `requester`: who proved themself by a service token; `keepSession`: whether the
   * session can be kept alive; `address`: from where it is asked, for the share of moves that a
   * network has
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
    // Before what would also be in the way: the handle, the address and the invite code that the
    // account here has.
    if (input.did !== undefined && input.did === requester) this.#assertNotHere(input.did)
    const { email, password } = this.#assertCredentials(input)
    const handle = await this.#deps.handles.assertAllowed(input.handle, input.did)
    const inviteCode = input.inviteCode?.trim()
    using _invite = inviteCode ? this.#deps.invites.hold(inviteCode) : undefined
    const names = [handle, email, ...(input.did === undefined ? [] : [input.did])]
    this.#assertFree({ handle, email: input.email ?? email })
    if (this.#deps.pendingNames.has(handle)) throw new AccountError(`Handle already taken: ${handle}`)
    if (this.#deps.pendingNames.has(email)) throw new AccountError(`Email already taken: ${input.email}`)
    if (input.did !== undefined) {
      if (input.did !== requester)
        throw new DomainError('unauthenticated', `Missing auth to create account with did: ${input.did}`)
      this.#assertNotHere(input.did)
      this.#deps.moves.assertPlace(networkOf(address))
    }
    using _names = this.#deps.pendingNames.hold(...names)
    const passwordHash = password === undefined ? null : await hashPassword(password)
    const credentials = { handle, email, password: passwordHash, inviteCode, keepSession }
    return input.did === undefined
      ? await this.#make(credentials, input.recoveryKey)
      : await this.#receive(credentials, input.did, networkOf(address))
  }

  #assertNotHere(did: string): void {
    if (this.#deps.store.accounts.byDid(did) !== undefined || this.#deps.pendingNames.has(did)) {
      throw new AccountError('Repo already exists', 'AlreadyExists')
    }
  }

  #assertFree({ handle, email }: Pick<Credentials, 'handle' | 'email'>): void {
    const { accounts } = this.#deps.store
    if (accounts.byHandle(handle) !== undefined) throw new AccountError(`Handle already taken: ${handle}`)
    if (accounts.byEmail(email.toLowerCase()) !== undefined) {
      throw new AccountError(`Email already taken: ${email}`)
    }
  }

  /** Makes an account with a new identity. */
  async #make(credentials: Credentials, recoveryKey: string | undefined) {
    const { key, encrypted } = this.#deps.keys.generate()
    const { did, op } = await this.#newIdentity(credentials.handle, key, recoveryKey)
    const sessionGeneration = this.#deps.store.accounts.nextSessionGeneration(did)
    const tokens = await this.#deps.sessions.issue({ did, sessionGeneration })
    // The directory comes first: an identity without an account is a name that nobody uses, an
    // account without an identity is broken.
    await this.#deps.plc.send(did, op)
    crashPoint('account.beforeRow')
    try {
      await this.#deps.store.db.write((tx) => {
        const row = { did, signingKey: encrypted, deactivatedAt: null, sessionGeneration }
        const id = this.#insert(tx, credentials, row, tokens)
        this.#deps.writer.create(tx, { id, did }, credentials.handle, key)
      })
    } catch (error) {
      // Nobody will ever use it.
      await this.#deps.plc.tombstone(did).catch((cause) =>
        this.#deps.log.warn(
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
    const { key, encrypted } = this.#deps.reservedKeys.for(did)
    const sessionGeneration = this.#deps.store.accounts.nextSessionGeneration(did)
    const tokens = await this.#deps.sessions.issue({ did, sessionGeneration })
    await this.#deps.store.db.write((tx) => {
      // Others may have begun theirs while the password was hashed.
      this.#deps.moves.assertPlace(network)
      const move = { network, endsAt: this.#deps.moves.endsAt(tx.now) }
      const row = { did, signingKey: encrypted, deactivatedAt: tx.now, sessionGeneration, move }
      const id = this.#insert(tx, credentials, row, tokens)
      this.#deps.writer.create(tx, { id, did }, null, key)
      this.#deps.reservedKeys.clear(tx, did)
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
    if (inviteCode) this.#deps.invites.use(tx, inviteCode, row.did)
    const id = this.#deps.store.accounts.insert(tx, { ...row, handle, email, password })
    if (keepSession) this.#deps.sessions.keep(tx, id, tokens)
    return id
  }

  #newIdentity(handle: string, key: SigningKey, recoveryKey: string | undefined) {
    const { recoveryDidKey, publicUrl } = this.#options
    const rotationKeys = [recoveryKey, recoveryDidKey].filter((key) => key !== undefined)
    return this.#deps.plc.formatCreate({ signingKey: key.did, handle, pds: publicUrl, rotationKeys })
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
    if (this.#deps.invites.required && !inviteCode?.trim()) {
      throw new InviteError('No invite code provided', 'InvalidInviteCode')
    }
    if (!email) throw new AccountError('Email is required')
    assertEmailSupported(email)
    return { email: email.toLowerCase(), password }
  }
}
