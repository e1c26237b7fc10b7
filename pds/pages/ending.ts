/** What an account's own page says of its end, where one is set. */
import type { Account } from '../accounts/status.ts'

/**
 * When an account goes unless its owner does something, and what that is; undefined for one that
 * stays.
 */
export function endingOf({ endsAt, moveStepAt }: Pick<Account, 'endsAt' | 'moveStepAt'>): string | undefined {
  if (endsAt === null) return undefined
  const day = endsAt.slice(0, 10)
  if (moveStepAt !== null) {
    return `The move to this host is not finished. What was brought is cleared away after ${day}, unless the move goes on or the account is activated.`
  }
  return `This account is deactivated and will be deleted after ${day}. To keep it, activate it.`
}
