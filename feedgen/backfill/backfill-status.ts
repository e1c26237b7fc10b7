/**
 * Whose past is here: asked for at every page that is made for its viewer, so what was answered is
 * remembered.
 */
import { HOUR_MS } from '#platform/time.ts'
import type { Pending } from '../index/pending.ts'

export interface PastsOptions {
  pending: Pick<Pending, 'viewerAsked'>
  /** Told when something of a viewer may have to be fetched. */
  missing(): void
}

/** After this long it is noted again that a viewer asks. */
const ASKED_AGE_MS_MAX = HOUR_MS
const viewersRememberedMax = 100_000
/** For so long nobody looks again whether a past that was missing is there. */
const missingAgeMsMax = 500

interface Answer {
  isHere: Promise<boolean>
  at: number
}

export class Pasts {
  readonly #options: PastsOptions
  readonly #answers = new Map<string, Answer>()

  constructor(options: PastsOptions) {
    this.#options = options
  }

  /**
   * Whether the account's past is here. When it is not, it is fetched in the background.
   * @param options `mutuals`: who follows it back is looked up too
   */
  async ask(did: string, { mutuals = false }: { mutuals?: boolean } = {}): Promise<boolean> {
    const key = `${did} ${mutuals}`
    const known = this.#answers.get(key)
    const age = Date.now() - (known?.at ?? 0)
    if (known && age < ((await known.isHere) ? ASKED_AGE_MS_MAX : missingAgeMsMax)) return known.isHere
    const isHere = this.#options.pending.viewerAsked(did, { mutuals })
    this.#remember(key, { isHere, at: Date.now() })
    try {
      if (!(await isHere) || mutuals) this.#options.missing()
    } catch (error) {
      this.#answers.delete(key)
      throw error
    }
    return isHere
  }

  #remember(key: string, answer: Answer): void {
    const [oldest] = this.#answers.keys()
    if (this.#answers.size >= viewersRememberedMax && oldest !== undefined) this.#answers.delete(oldest)
    this.#answers.delete(key)
    this.#answers.set(key, answer)
  }
}
