/** Preferences of an account in `app.bsky`: kept for the apps, which alone know what they mean. */
import { DomainError } from '#platform/errors.ts'
import type { Account } from '../store/accounts.ts'
import type { Store } from '../store/store.ts'

/** A preference as apps give it, in JSON. */
export type Preference = { readonly $type: string } & Readonly<Record<string, unknown>>

/** What a caller may see and set. */
export interface PreferenceAccess {
  /** Whether the account's own password was used: app passwords do not reach personal details. */
  readonly full: boolean
}

const NAMESPACE = 'app.bsky'
const PERSONAL_DETAILS = 'app.bsky.actor.defs#personalDetailsPref'
/** Shown to apps without access to the date of birth; derived from it, and never stored. */
const DECLARED_AGE = 'app.bsky.actor.defs#declaredAgePref'

export class Preferences {
  readonly #store: Store

  constructor(store: Store) {
    this.#store = store
  }

  get(account: Account, { full }: PreferenceAccess): Preference[] {
    const preferences = this.#store.preferences
      .list(account.id)
      .filter(({ name }) => isOurs(name))
      .map(({ json }) => JSON.parse(json) as Preference)
    const birthDate = preferences.find(({ $type }) => $type === PERSONAL_DETAILS)?.birthDate
    if (typeof birthDate === 'string' && birthDate !== '') preferences.push(declaredAge(birthDate))
    return preferences.filter(({ $type }) => full || $type !== PERSONAL_DETAILS)
  }

  /**
   * Puts these preferences in the place of those that the caller may set.
   * @throws DomainError
   */
  async put(account: Account, preferences: readonly Preference[], { full }: PreferenceAccess): Promise<void> {
    if (!preferences.every(({ $type }) => isOurs($type))) {
      throw new DomainError('invalid', `Some preferences are not in the ${NAMESPACE} namespace`)
    }
    const forbidden = preferences.filter(({ $type }) => !full && $type === PERSONAL_DETAILS)
    if (forbidden.length > 0) {
      const names = forbidden.map(({ $type }) => $type).join(', ')
      throw new DomainError('invalid', `Do not have authorization to set preferences: ${names}`)
    }
    const rows = preferences
      .filter(({ $type }) => $type !== DECLARED_AGE)
      .map((preference) => ({ name: preference.$type, json: JSON.stringify(preference) }))
    await this.#store.db.write((tx) => {
      for (const { id, name } of this.#store.preferences.list(account.id)) {
        if (isOurs(name) && (full || name !== PERSONAL_DETAILS)) this.#store.preferences.delete(tx, id)
      }
      for (const { name, json } of rows) this.#store.preferences.insert(tx, account.id, name, json)
    })
  }
}

const isOurs = (name: string): boolean => name === NAMESPACE || name.startsWith(`${NAMESPACE}.`)

function declaredAge(birthDate: string): Preference {
  const age = ageOn(new Date(), new Date(birthDate))
  return { $type: DECLARED_AGE, isOverAge13: age >= 13, isOverAge16: age >= 16, isOverAge18: age >= 18 }
}

/** Years of life that are over on a day. */
function ageOn(day: Date, birth: Date): number {
  const years = day.getFullYear() - birth.getFullYear()
  const months = day.getMonth() - birth.getMonth()
  const isBeforeBirthday = months < 0 || (months === 0 && day.getDate() < birth.getDate())
  return isBeforeBirthday ? years - 1 : years
}
