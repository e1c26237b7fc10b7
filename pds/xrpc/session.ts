/** What the methods of a session say of the account that it belongs to. */
import { INVALID_HANDLE } from '@atproto/syntax'
import { type Account, statusOf } from '../accounts/status.ts'
import type { Services } from '../services.ts'

type Parts = Pick<Services, 'config' | 'didDocuments'>

/** The fields that `createSession`, `getSession` and `refreshSession` share. */
export async function describeSession({ config, didDocuments }: Parts, account: Account) {
  const status = statusOf(account)
  return {
    did: account.did,
    didDoc: config.identity.didDocWithSession ? await didDocuments.find(account.did) : undefined,
    handle: account.handle ?? INVALID_HANDLE,
    email: account.email ?? undefined,
    emailConfirmed: account.emailConfirmedAt !== null,
    emailAuthFactor: account.emailAuthFactor === 1,
    active: status === 'active',
    status: status === 'active' ? undefined : status,
  }
}
