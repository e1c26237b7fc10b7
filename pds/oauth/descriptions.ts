/** An account as the sign-in and account pages show it. */
import type { Account as DescribedAccount, Did, HandleString } from '@atproto/oauth-provider/store'
import { recordToJsonText } from '#protocol/record.ts'
import type { RepoReader } from '../repo/read.ts'
import type { Account } from '../store/accounts.ts'

export type { DescribedAccount }

/** Where people's profiles are. */
const PROFILE = { collection: 'app.bsky.actor.profile', rkey: 'self' }

export interface DescriptionsOptions {
  readonly serviceDid: string
  /** The address of a picture that a profile refers to. */
  readonly avatarUrl: (did: string, blob: unknown) => string | undefined
}

export class Descriptions {
  readonly #reader: Pick<RepoReader, 'record'>
  readonly #options: DescriptionsOptions

  constructor(reader: Pick<RepoReader, 'record'>, options: DescriptionsOptions) {
    this.#reader = reader
    this.#options = options
  }

  /** @param account also one that is deactivated */
  of(account: Account): DescribedAccount {
    const { displayName, avatar } = this.#profile(account)
    return {
      did: account.did as Did,
      pds: this.#options.serviceDid as Did,
      email: account.email ?? undefined,
      emailVerified: account.email === null ? undefined : account.emailConfirmedAt !== null,
      handle: (account.handle ?? undefined) as HandleString | undefined,
      deactivated: account.deactivatedAt !== null,
      name: typeof displayName === 'string' && displayName !== '' ? displayName : undefined,
      picture: avatar ? this.#options.avatarUrl(account.did, avatar) : undefined,
    }
  }

  #profile(account: Account): { displayName?: unknown; avatar?: unknown } {
    const record = this.#reader.record(account, PROFILE)
    return record === undefined ? {} : JSON.parse(recordToJsonText(record.block))
  }
}
