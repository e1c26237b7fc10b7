/**
 * Compares the two servers' answers to a list of requests, against the table of the differences
 * that are meant.
 */
import { expect } from 'vitest'
import { type Answer, ask } from './answers.ts'
import type { Case } from './cases.ts'
import type { Deliberate, DifferentAnswer } from './deliberate.ts'
import type { Pair } from './peers.ts'

/** What differs, on each side. */
interface Difference {
  readonly ours: string
  readonly reference: string
}

/** Runs cases and keeps account of the differences that were met. */
export class Agreement {
  readonly #pair: Pair
  readonly #meant: readonly { meant: DifferentAnswer; fits(key: string, difference: Difference): boolean }[]
  readonly #met = new Set<DifferentAnswer>()
  readonly #errors = new Map<string, Set<string>>()

  constructor(pair: Pair, deliberate: readonly Deliberate[]) {
    this.#pair = pair
    this.#meant = deliberate
      .flatMap(({ cases = [] }) => cases)
      .map((meant) => {
        const key = toPattern(meant.key)
        const isMeant = judge(meant)
        return { meant, fits: (name, difference) => key.test(name) && isMeant(difference) }
      })
  }

  /**
   * Asks both servers the same, one after the other, and fails with every difference that is not in
   * the table.
   */
  async check(cases: readonly Case[]): Promise<void> {
    expect(new Set(cases.map(({ key }) => key)).size, 'every case has a name of its own').toBe(cases.length)
    const differences: Record<string, Difference> = {}
    for (const { key, ask: toAsk } of cases) {
      const [ours, reference] = await Promise.all(
        [this.#pair.ours, this.#pair.reference].map(async (peer) => {
          const asked = await toAsk(peer)
          const answer = await ask(peer, asked)
          this.#noteError(asked.path, answer)
          return answer
        }),
      )
      const difference = differenceOf(ours!, reference!)
      if (difference !== null && !this.#isMeant(key, difference)) differences[key] = difference
    }
    expect(differences).toEqual({})
  }

  /** What is in the table, and nothing differed in. */
  get unmet(): readonly DifferentAnswer[] {
    return this.#meant.flatMap(({ meant }) => (this.#met.has(meant) ? [] : [meant]))
  }

  /** The names of the errors that either server answered calls of a method with. */
  errorsOf(nsid: string): ReadonlySet<string> {
    return this.#errors.get(nsid) ?? new Set()
  }

  #noteError(path: string, { body }: Answer): void {
    const error = (body as { error?: unknown } | null)?.error
    if (typeof error !== 'string') return
    this.#errors.set(path, (this.#errors.get(path) ?? new Set()).add(error))
  }

  #isMeant(key: string, difference: Difference): boolean {
    const found = this.#meant.filter(({ fits }) => fits(key, difference))
    for (const { meant } of found) this.#met.add(meant)
    return found.length > 0
  }
}

function judge(meant: DifferentAnswer): (difference: Difference) => boolean {
  if ('addition' in meant) return ({ ours, reference }) => ours.replaceAll(meant.addition, '') === reference
  const [ours, reference] = [toPattern(meant.ours), toPattern(meant.reference)]
  return (difference) => ours.test(difference.ours) && reference.test(difference.reference)
}

function toPattern(key: string): RegExp {
  const quoted = key.split('*').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
  return new RegExp(`^${quoted.join('.*')}$`, 's')
}

/**
 * What differs, on each side: the status and error name, or else the parts that are not the same.
 */
function differenceOf(ours: Answer, reference: Answer): Difference | null {
  const [one, other] = [summary(ours), summary(reference)]
  if (one !== other) return { ours: one, reference: other }
  const parts = (answer: Answer): Record<string, string> => ({
    ...Object.fromEntries(Object.entries(answer.headers).map(([name, value]) => [name, value ?? ''])),
    body: JSON.stringify(sorted(answer.body)),
  })
  const [mine, theirs] = [parts(ours), parts(reference)]
  const names = [...new Set([...Object.keys(mine), ...Object.keys(theirs)])].filter(
    (name) => (mine[name] ?? '') !== (theirs[name] ?? ''),
  )
  if (names.length === 0) return null
  const show = (side: Record<string, string>) =>
    names.map((name) => `${name}: ${side[name] ?? ''}`).join('; ')
  return { ours: show(mine), reference: show(theirs) }
}

function summary({ status, body }: Answer): string {
  const error = (body as { error?: unknown } | null)?.error
  return typeof error === 'string' ? `${status} ${error}` : String(status)
}

/** With the keys of objects in order. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, item]) => [key, sorted(item)]),
  )
}
