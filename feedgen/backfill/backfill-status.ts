/** Whose past is here: asked for at every page that is made for its viewer, so what was answered is remembered. */
import type { Pending } from '../index/pending.ts'

export interface PastsOptions {
  pending: Pick<Pending, 'viewerAsked'>
  /** Told when a viewer's past is to be fetched. */
  missing(): void
}

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

  /** Whether the account's past is here. When it is not, it is fetched in the background. */
  async ask(did: string): Promise<boolean> {
    const known = this.#answers.get(did)
    if (known && ((await known.isHere) || Date.now() - known.at < missingAgeMsMax)) return known.isHere
    const isHere = this.#options.pending.viewerAsked(did)
    this.#remember(did, { isHere, at: Date.now() })
    try {
      if (!(await isHere)) this.#options.missing()
    } catch (error) {
      this.#answers.delete(did)
      throw error
    }
    return isHere
  }

  #remember(did: string, answer: Answer): void {
    const [oldest] = this.#answers.keys()
    if (this.#answers.size >= viewersRememberedMax && oldest !== undefined) this.#answers.delete(oldest)
    this.#answers.set(did, answer)
  }
}
