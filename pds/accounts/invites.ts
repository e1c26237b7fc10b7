/** Invite codes: created by the operator and, at intervals, by accounts; and who used them. */
import { DomainError } from '#platform/errors.ts'
import type { Tx } from '#platform/sqlite.ts'
import type { Account } from '../store/accounts.ts'
import type { InviteUse, InviteCode as StoredInvite } from '../store/invites.ts'
import type { Store } from '../store/store.ts'
import { randomCode } from './credentials/codes.ts'

/** An invite code that cannot be used, or codes that cannot be disabled. */
export class InviteError extends DomainError<'InvalidInviteCode' | undefined> {
  override name = 'InviteError'
  constructor(message: string, code?: 'InvalidInviteCode') {
    super('invalid', message, code)
  }
}

/** An invite code as in `com.atproto.server.defs#inviteCode`. `available` includes used uses. */
export interface InviteCode {
  readonly code: string
  readonly available: number
  readonly disabled: boolean
  readonly forAccount: string
  readonly createdBy: string
  readonly createdAt: string
  readonly uses: readonly InviteUse[]
}

export interface InvitesOptions {
  /** Codes begin with it. */
  readonly hostname: string
  readonly required: boolean
  /** How often an account may make a code; undefined: never. */
  readonly intervalMs: number | undefined
  /** Since when that is counted: milliseconds since 1970. */
  readonly epochMs: number
}

/** The account that the operator's codes belong to by default. */
export const OPERATOR = 'admin'

/** Codes made in one call. */
const CODES_MAX = 1_000
/** Codes of its own making that an account may have open at one time. */
const OPEN_CODES_MAX = 5

export class Invites {
  readonly #store: Store
  readonly #options: InvitesOptions
  /** Uses of codes that accounts are being made with. */
  readonly #held = new Map<string, number>()

  constructor(store: Store, options: InvitesOptions) {
    this.#store = store
    this.#options = options
  }

  /** Whether an account can be made only with a code. */
  get required(): boolean {
    return this.#options.required
  }

  /**
   * Makes codes as the operator.
   * @param forAccounts DIDs, or `admin`: each gets as many
   * @param useCount how many accounts can be made with each
   * @throws InviteError for too many at once
   */
  async create(forAccounts: readonly string[], codeCount: number, useCount: number) {
    if (forAccounts.length * codeCount > CODES_MAX) throw new InviteError(`Too many codes. Max: ${CODES_MAX}`)
    return this.#store.db.write((tx) =>
      forAccounts.map((account) => ({
        account,
        codes: Array.from({ length: codeCount }, () => this.#insert(tx, account, OPERATOR, useCount)),
      })),
    )
  }

  /**
   * Reserves a use of a code while an account is being created, so that it is not overused.
   * @throws InviteError
   */
  hold(code: string): Disposable {
    const held = this.#held.get(code) ?? 0
    this.#assertUses(code, held + 1)
    this.#held.set(code, held + 1)
    return {
      [Symbol.dispose]: () => {
        const left = (this.#held.get(code) ?? 1) - 1
        if (left > 0) this.#held.set(code, left)
        else this.#held.delete(code)
      },
    }
  }

  /**
   * Notes who came by a code.
   * @throws InviteError
   */
  use(tx: Tx, code: string, usedBy: string): void {
    this.#assertUses(code, 1)
    this.#store.invites.insertUse(tx, code, usedBy)
  }

  /** The codes that an account was given and made, oldest first. */
  ofAccount(did: string): InviteCode[] {
    return this.#store.invites.ofAccount(did).map((invite) => this.#describe(invite))
  }

  /** Makes the codes that an account has earned by now. */
  async createEarned(account: Account): Promise<void> {
    const { required, intervalMs, epochMs } = this.#options
    if (!required || intervalMs === undefined) return
    await this.#store.db.write((tx) => {
      const own = this.#store.invites.ofAccount(account.did).filter(({ createdBy }) => createdBy !== OPERATOR)
      const earned = intervalsSince(Date.parse(account.createdAt), Date.parse(tx.now), epochMs, intervalMs)
      const made = own.filter(({ createdAt }) => Date.parse(createdAt) > epochMs).length
      const open = own.filter(({ disabled, availableUses, uses }) => disabled === 0 && availableUses > uses)
      // An account whose invites are disabled gets disabled codes, which count if it is reenabled.
      const disabled = account.invitesDisabled === 1
      const count = Math.min(OPEN_CODES_MAX - open.length, earned - made)
      for (let n = 0; n < count; n++) this.#insert(tx, account.did, account.did, 1, disabled)
    })
  }

  /** The code that an account came by. */
  broughtIn(did: string): InviteCode | undefined {
    const invite = this.#store.invites.broughtIn(did)
    return invite && this.#describe(invite)
  }

  /** All codes, newest first, after the given one. */
  byTime(after: { createdAt: string; code: string }, limit: number): InviteCode[] {
    return this.#store.invites.byTime(after, limit).map((invite) => this.#describe(invite))
  }

  /** All codes, most used first, after the given one. */
  byUses(after: { uses: number; code: string }, limit: number): InviteCode[] {
    return this.#store.invites.byUses(after, limit).map((invite) => this.#describe(invite))
  }

  /**
   * Disables codes, and all codes of accounts.
   * @throws InviteError for those of the operator
   */
  async disable(codes: readonly string[], accounts: readonly string[]): Promise<void> {
    if (accounts.includes(OPERATOR)) throw new InviteError('cannot disable admin invite codes')
    await this.#store.db.write((tx) => {
      for (const code of codes) this.#store.invites.disable(tx, code)
      for (const did of accounts) this.#store.invites.disableOf(tx, did)
    })
  }

  /** Whether an account is given codes from now on. */
  async setDisabledFor(did: string, disabled: boolean): Promise<void> {
    await this.#store.db.write((tx) => this.#store.accounts.setInvitesDisabled(tx, did, disabled))
  }

  #assertUses(code: string, uses: number): void {
    if (this.#store.invites.remainingUses(code) < uses) {
      throw new InviteError('Provided invite code not available', 'InvalidInviteCode')
    }
  }

  /** Starts with the host name, its dots replaced so that a code is not mistaken for a link. */
  #insert(tx: Tx, forAccount: string, createdBy: string, availableUses: number, disabled = false): string {
    const code = `${this.#options.hostname.replaceAll('.', '-')}-${randomCode()}`
    const invite = { code, availableUses, disabled: Number(disabled), forAccount, createdBy }
    this.#store.invites.insert(tx, invite)
    return code
  }

  #describe({ availableUses, disabled, ...invite }: StoredInvite): InviteCode {
    const uses = this.#store.invites.uses(invite.code)
    return { ...invite, available: availableUses, disabled: disabled === 1, uses }
  }
}

/** How many intervals of a life that began at `birthMs` ended after the epoch. */
export function intervalsSince(birthMs: number, nowMs: number, epochMs: number, intervalMs: number): number {
  const intervals = (ms: number) => Math.floor(Math.max(ms, 0) / Math.max(intervalMs, 1))
  return intervals(nowMs - birthMs) - intervals(epochMs - birthMs)
}
