/** What the methods that write to a repository have in common. */
import { type Cid, formatCid, parseCid } from '#protocol/cid.ts'
import { RECORD_DEPTH_MAX } from '#protocol/record.ts'
import type { Account } from '../accounts/status.ts'
import type { PersonCredentials } from '../auth/credentials.ts'
import { AuthError } from '../auth/credentials.ts'
import { assertMayAct } from '../auth/verifier.ts'
import type { Services } from '../services.ts'

/** A write's JSON may be this large. */
export const WRITE_JSON_BYTES_MAX = 1_000_000

/**
 * Levels of JSON in a request: around a record stand a write, the list of writes, and the input.
 */
export const WRITE_JSON_DEPTH_MAX = RECORD_DEPTH_MAX + 3

/**
 * The account whose repository the caller names and may write to: their own.
 * @throws AuthError
 */
export function ownRepo(auth: Services['auth'], repo: string, credentials: PersonCredentials): Account {
  const rules = { checkTakedown: true, checkDeactivated: true }
  if (repo === credentials.did) return assertMayAct(credentials.account, rules)
  const account = auth.account(repo, rules)
  if (account.did !== credentials.did) throw new AuthError('unauthenticated', undefined)
  return account
}

/**
 * Checks that an OAuth client may write to a collection; a user's own session may write to all.
 * @throws ScopeMissingError
 */
export function assertMayWrite(
  credentials: PersonCredentials,
  action: 'create' | 'update' | 'delete',
  collection: string,
): void {
  if (credentials.type === 'app') credentials.permissions.assertRepo({ action, collection })
}

export const uriOf = (did: string, collection: string, rkey: string): string =>
  `at://${did}/${collection}/${rkey}`

/** A commit as answers show it. */
export const commitJson = (commit: { cid: Cid; rev: string }) => ({
  cid: formatCid(commit.cid),
  rev: commit.rev,
})

/** @throws InvalidCidError */
export const optionalCid = (text: string | undefined): Cid | undefined => (text ? parseCid(text) : undefined)
