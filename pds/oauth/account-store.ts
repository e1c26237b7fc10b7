/**
 * What the sign-in and account pages do with accounts, for the OAuth library: each is a call of the
 * services that XRPC calls too. Who is signed in on which browser, and what an account lets apps
 * do, is kept here.
 */
import {
  InvalidCredentialsError,
  InvalidRequestError,
  SecondAuthenticationFactorRequiredError,
} from '@atproto/oauth-provider/errors'
import type {
  AccountStore,
  AuthenticateAccountData,
  AuthorizedClientData,
  AuthorizedClients,
  ClientId,
  CreateAccountData,
  DeviceAccount,
  DeviceId,
  Did,
} from '@atproto/oauth-provider/store'
import type { Accounts } from '../accounts/accounts.ts'
import type { AccountCreation } from '../accounts/create.ts'
import { EmailTokenError } from '../accounts/credentials/email-tokens.ts'
import type { PasswordChanges } from '../accounts/credentials/password-changes.ts'
import type { PasswordProofs } from '../accounts/credentials/password-proofs.ts'
import type { SecondFactors } from '../accounts/credentials/second-factors.ts'
import type { Emails } from '../accounts/emails.ts'
import { AccountError, LoginError } from '../accounts/errors.ts'
import type { HandleChanges } from '../accounts/handles.ts'
import type { PasswordSignIn } from '../accounts/sign-in.ts'
import type { Standing } from '../accounts/statuses.ts'
import type { Account } from '../store/accounts.ts'
import type { DeviceAccount as StoredDeviceAccount } from '../store/devices.ts'
import type { Store } from '../store/store.ts'
import type { DescribedAccount, Descriptions } from './descriptions.ts'
import type { ProviderDevices } from './device-store.ts'
import { inProviderTerms } from './errors.ts'
import { SecondStepRequiredError } from './second-factor-required.ts'
import type { Visits } from './visits.ts'

type Data<K extends keyof AccountStore> = Parameters<AccountStore[K]>[0]

export interface ProviderAccountsDeps {
  readonly store: Store
  readonly accounts: Accounts
  readonly accountCreation: AccountCreation
  readonly passwordSignIn: PasswordSignIn
  readonly handleChanges: HandleChanges
  readonly emails: Emails
  readonly secondFactors: SecondFactors
  readonly passwordProofs: PasswordProofs
  readonly passwordChanges: PasswordChanges
  readonly standing: Standing
  readonly descriptions: Descriptions
  readonly devices: ProviderDevices
  readonly visits: Visits
}

export class ProviderAccounts implements AccountStore {
  readonly #deps: ProviderAccountsDeps

  constructor(deps: ProviderAccountsDeps) {
    this.#deps = deps
  }

  async createAccount({ handle, email, password, inviteCode }: CreateAccountData): Promise<DescribedAccount> {
    return inProviderTerms(async () => {
      // The page knows this one by its words.
      if (this.#deps.store.accounts.byEmail(email.toLowerCase()) !== undefined) {
        throw new InvalidRequestError('Email already taken')
      }
      await this.#deps.handleChanges.assertAvailable(handle)
      const { did } = await this.#deps.accountCreation.create(
        { handle, email, password, inviteCode },
        { keepSession: false },
      )
      return this.#describe(did)
    })
  }

  async authenticateAccount({
    username,
    password,
    emailOtp,
  }: AuthenticateAccountData): Promise<DescribedAccount> {
    const account = await this.#login(username, password)
    if (this.#deps.secondFactors.areSetUp(account.id)) {
      throw new SecondStepRequiredError(this.#deps.passwordProofs.give(account, 'sign-in'))
    }
    await this.#assertMailedCode(account, emailOtp)
    return this.#deps.descriptions.of(account)
  }

  async #login(username: string, password: string): Promise<Account> {
    try {
      const { account, appPassword } = await this.#deps.passwordSignIn.login(username, password)
      if (appPassword !== undefined) throw new InvalidRequestError('App passwords are not allowed')
      return account
    } catch (error) {
      if (!(error instanceof LoginError)) throw error
      if (error.code === 'AccountTakedown') throw new InvalidRequestError('Account was taken down', error)
      throw new InvalidCredentialsError(error.message, undefined, error)
    }
  }

  async #assertMailedCode(account: Account, code: string | undefined): Promise<void> {
    try {
      await this.#deps.emails.assertSecondFactor(account, code)
    } catch (error) {
      if (error instanceof LoginError) {
        throw new SecondAuthenticationFactorRequiredError('emailOtp', hintOf(account.email), error)
      }
      if (error instanceof EmailTokenError) {
        throw new InvalidCredentialsError(error.message, account.did as Did, error)
      }
      throw error
    }
  }

  async setAuthorizedClient(did: Did, clientId: ClientId, data: AuthorizedClientData): Promise<void> {
    const { id } = this.#present(did)
    await this.#deps.store.db.write((tx) =>
      this.#deps.store.authorizedClients.put(tx, id, clientId, JSON.stringify(data)),
    )
  }

  getAccount(did: Did): { account: DescribedAccount; authorizedClients: AuthorizedClients } {
    const account = this.#present(did)
    return {
      account: this.#deps.descriptions.of(account),
      authorizedClients: this.#authorizedClients(account.id),
    }
  }

  async upsertDeviceAccount(deviceId: DeviceId, did: Did): Promise<void> {
    const { id } = this.#present(did)
    if (!(await this.#deps.devices.signIn(deviceId, id)))
      throw new InvalidRequestError('This page was open for too long. Load it again.')
  }

  getDeviceAccount(deviceId: DeviceId, did: Did): DeviceAccount | null {
    const account = this.#find(did)
    const found = account && this.#deps.store.devices.account(deviceId, account.id)
    return account !== undefined && found !== undefined ? this.#deviceAccount(found, account) : null
  }

  async removeDeviceAccount(deviceId: DeviceId, did: Did): Promise<void> {
    this.#deps.visits.end(deviceId, did)
    const account = this.#deps.store.accounts.byDid(did)
    if (account === undefined) return
    await this.#deps.store.db.write((tx) => this.#deps.store.devices.deleteAccount(tx, deviceId, account.id))
  }

  listDeviceAccounts(filter: { did: Did } | { deviceId: DeviceId }): DeviceAccount[] {
    if ('deviceId' in filter) {
      return this.#deps.store.devices.accountsOn(filter.deviceId).flatMap((found) => {
        const account = this.#deps.store.accounts.byId(found.account)
        return account === undefined || account.takedownRef !== null
          ? []
          : this.#deviceAccount(found, account)
      })
    }
    const account = this.#find(filter.did)
    if (account === undefined) return []
    return this.#deps.store.devices.devicesOf(account.id).map((found) => this.#deviceAccount(found, account))
  }

  async resetPasswordRequest({ email }: Data<'resetPasswordRequest'>): Promise<DescribedAccount | null> {
    const account = this.#deps.store.accounts.byEmail(email.toLowerCase())
    if (account === undefined || account.takedownRef !== null) return null
    this.#deps.passwordChanges.requestUnseen(email)
    return this.#deps.descriptions.of(account)
  }

  async resetPasswordConfirm({
    token,
    password,
  }: Data<'resetPasswordConfirm'>): Promise<DescribedAccount | null> {
    try {
      const account = this.#deps.store.accounts.byId(await this.#deps.passwordChanges.reset(token, password))
      return account === undefined || account.takedownRef !== null
        ? null
        : this.#deps.descriptions.of(account)
    } catch (error) {
      if (error instanceof AccountError && error.code === 'InvalidPassword') {
        throw new InvalidRequestError(error.message, error)
      }
      if (error instanceof EmailTokenError || error instanceof AccountError) return null
      throw error
    }
  }

  verifyHandleAvailability(handle: string): Promise<void> {
    return inProviderTerms(() => this.#deps.handleChanges.assertAvailable(handle))
  }

  async updateEmailRequest({ did }: Data<'updateEmailRequest'>): Promise<{ tokenRequired: boolean }> {
    return inProviderTerms(async () => ({
      tokenRequired: await this.#deps.emails.requestUpdate(this.#present(did)),
    }))
  }

  async updateEmailConfirm({
    did,
    email,
    token,
  }: Data<'updateEmailConfirm'>): Promise<DescribedAccount | null> {
    return inProviderTerms(async () => {
      await this.#deps.emails.update(this.#present(did), { email, code: token })
      await this.#deps.emails.sendCode('confirm_email', this.#present(did))
      return this.#describe(did)
    })
  }

  async verifyEmailRequest({ did }: Data<'verifyEmailRequest'>): Promise<void> {
    await inProviderTerms(() => this.#deps.emails.sendCode('confirm_email', this.#present(did)))
  }

  async verifyEmailConfirm({
    did,
    email,
    token,
  }: Data<'verifyEmailConfirm'>): Promise<DescribedAccount | null> {
    return inProviderTerms(async () => {
      await this.#deps.emails.confirm(this.#present(did), email, token)
      return this.#describe(did)
    })
  }

  async updateHandle({ did, handle }: Data<'updateHandle'>): Promise<DescribedAccount> {
    return inProviderTerms(async () => {
      await this.#deps.handleChanges.update(this.#present(did), handle)
      return this.#describe(did)
    })
  }

  async deactivateAccount({ did, deleteAfter }: Data<'deactivateAccount'>): Promise<DescribedAccount> {
    return inProviderTerms(async () => {
      const time = deleteAfter === undefined ? undefined : new Date(deleteAfter)
      await this.#deps.standing.deactivate(did, { deleteAfter: time, endApps: {} })
      return this.#describe(did)
    })
  }

  async reactivateAccount({ did }: Data<'reactivateAccount'>): Promise<DescribedAccount> {
    return inProviderTerms(async () => {
      await this.#deps.standing.activate(did)
      return this.#describe(did)
    })
  }

  async deleteAccountRequest({ did }: Data<'deleteAccountRequest'>): Promise<void> {
    await inProviderTerms(() => this.#deps.emails.sendCode('delete_account', this.#present(did)))
  }

  async deleteAccountConfirm({ did, token, password }: Data<'deleteAccountConfirm'>): Promise<void> {
    await inProviderTerms(() => this.#deps.accounts.delete(did, password, token))
  }

  /** An account that may be shown: whoever was taken down is as good as gone here. */
  #find(did: string): Account | undefined {
    const account = this.#deps.store.accounts.byDid(did)
    return account === undefined || account.takedownRef !== null ? undefined : account
  }

  /** @throws InvalidRequestError */
  #present(did: string): Account {
    const account = this.#find(did)
    if (account === undefined) throw new InvalidRequestError('Account not found')
    return account
  }

  #describe(did: string): DescribedAccount {
    return this.#deps.descriptions.of(this.#present(did))
  }

  #deviceAccount(found: StoredDeviceAccount, account: Account): DeviceAccount {
    return {
      deviceId: found.device as DeviceId,
      deviceData: this.#deps.devices.dataOf(found),
      account: this.#deps.descriptions.of(account),
      authorizedClients: this.#authorizedClients(account.id),
      createdAt: new Date(found.createdAt),
      updatedAt: new Date(found.updatedAt),
    }
  }

  #authorizedClients(account: number): AuthorizedClients {
    const rows = this.#deps.store.authorizedClients.ofAccount(account)
    return new Map(
      rows.map(({ clientId, data }) => [clientId as ClientId, JSON.parse(data) as AuthorizedClientData]),
    )
  }
}

/** Enough of an address to know it by, for somebody who knows the password. */
function hintOf(email: string | null): string {
  const [name = '', domain = ''] = (email ?? '').split('@')
  return `${name.slice(0, 1)}***@${domain}`
}
