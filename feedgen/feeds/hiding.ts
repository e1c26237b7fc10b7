/**
 * What is hidden of a list that was made a while ago by what has happened since: labels, members of
 * lists and blocks. Asked when a page is read, of its posts alone; whatever else a definition asks
 * was answered when the list was made.
 */

import { HOUR_MS } from '#platform/time.ts'
import { isActorSet, type Plan } from '../algorithm/compile.ts'
import type { Source } from '../algorithm/definition.ts'
import type { AccountId, PostFacts, PostId } from '../algorithm/facts.ts'
import { type Considered, holds, type Rule, rulesIn, type Surroundings } from '../algorithm/rule.ts'
import { Inquiry } from '../engine/context.ts'
import type { Facts } from '../engine/index-queries.ts'
import type { Shown } from '../engine/jobs.ts'

/** For so long the members of sets are remembered that are the same for every viewer. */
const SETS_MS_MAX = 250

export class Hiding {
  readonly #facts: Facts
  readonly #now: () => number
  readonly #shared = new WeakMap<Plan, { inquiry: Inquiry; at: number }>()

  constructor(facts: Facts, now: () => number = Date.now) {
    this.#facts = facts
    this.#now = now
  }

  /**
   * Those of a list's items that are not to be shown to the viewer any more.
   * @param viewer their DID; empty when that is nobody known
   */
  async of(plan: Plan, items: readonly Shown[], viewer: string): Promise<ReadonlySet<PostId>> {
    const parts = partsOf(plan)
    const { pin, manualAdd = [] } = plan.definition.place ?? {}
    // What is set by hand is there whatever is said of it.
    const placed = new Set([pin, ...manualAdd])
    const asked = items.filter(({ post }) => !placed.has(post))
    const hidden = new Set<PostId>()
    if (parts === undefined || asked.length === 0) return hidden
    const inquiry = this.#inquiry(plan, viewer)
    for (const id of await denied(parts, asked, inquiry)) hidden.add(id)
    const who = parts.hidesBlocked ? await inquiry.viewer() : undefined
    if (who !== undefined) {
      const blocked = await this.#facts.blocked(who, [...new Set(asked.map(({ author }) => author))])
      for (const { id, author } of asked) if (blocked.has(author)) hidden.add(id)
    }
    return hidden
  }

  #inquiry(plan: Plan, viewer: string): Inquiry {
    const now = this.#now()
    if (plan.looksAtViewer) return new Inquiry({ facts: this.#facts, now, viewer: viewer || undefined })
    const known = this.#shared.get(plan)
    if (known && now >= known.at && now - known.at < SETS_MS_MAX) return known.inquiry
    const inquiry = new Inquiry({ facts: this.#facts, now })
    this.#shared.set(plan, { inquiry, at: now })
    return inquiry
  }
}

/** What a definition hides by that changes without the post. */
interface Parts {
  readonly where?: Rule
  /** What is taken from all that it has. */
  readonly take: readonly Source[]
  readonly labelers: readonly string[]
  readonly hidesBlocked: boolean
}

/** Absent when there is nothing to hide by. */
function partsOf({ where, definition }: Plan): Parts | undefined {
  const rules = where ? [...rulesIn(where)] : []
  const asks = rules.some(({ op }) => op === 'label' || op === 'author')
  const [source, ...others] = definition.sources
  // Of several sources another one may have brought the post.
  const taken = source?.kind === 'minus' && others.length === 0 ? source.take : []
  const take = taken.filter((part) => part.kind === 'labels' || isActorSet(part))
  const hidesBlocked = definition.viewer?.hide?.includes('blocked') ?? false
  if (!asks && take.length === 0 && !hidesBlocked) return undefined
  const labelers = [
    ...rules.flatMap((rule) => (rule.op === 'label' ? rule.by : [])),
    ...take.flatMap((part) => (part.kind === 'labels' ? [part.by] : [])),
  ]
  return { where: asks ? where : undefined, take, labelers: [...new Set(labelers)], hidesBlocked }
}

/** The posts that the definition does not have any more. */
async function denied(
  { where, take, labelers }: Parts,
  items: readonly Shown[],
  inquiry: Inquiry,
): Promise<PostId[]> {
  if (where === undefined && take.length === 0) return []
  const { facts } = inquiry
  const ids = items.map(({ id }) => id)
  const [posts, labels] = await Promise.all([
    facts.posts(ids),
    labelers.length > 0 ? facts.labels(ids, labelers) : undefined,
  ])
  const sets = new Map<object, ReadonlySet<AccountId>>()
  const wanted = [
    ...[...(where ? rulesIn(where) : [])].flatMap((rule) => (rule.op === 'author' ? rule.set : [])),
    ...take.flatMap((source) => (isActorSet(source) ? source : [])),
  ]
  for (const set of wanted) sets.set(set, new Set(await inquiry.accountsOf(set)))
  const { now } = inquiry.question
  const around = { now, sets, duplicates: new Map() } as Surroundings
  const isTaken = (source: Source, post: PostFacts) => {
    if ('windowHours' in source && post.sortAt < now - source.windowHours * HOUR_MS) return false
    if (isActorSet(source)) return sets.get(source)?.has(post.author) ?? false
    if (source.kind !== 'labels') return false
    return (labels?.get(post.id) ?? []).some(
      ({ by, val, isOnAuthor }) => !isOnAuthor && by === source.by && source.val.includes(val),
    )
  }
  return posts.flatMap((post) => {
    const considered = { post, isRepost: false, labels: labels?.get(post.id) }
    const isDenied = where !== undefined && recall(where, considered, around) === false
    return isDenied || take.some((source) => isTaken(source, post)) ? post.id : []
  })
}

/**
 * What labels and sets of accounts alone say about a rule; undefined when it is not for them to
 * say.
 */
function recall(rule: Rule, considered: Considered, around: Surroundings): boolean | undefined {
  switch (rule.op) {
    case 'all':
    case 'any': {
      const answers = rule.rules.map((part) => recall(part, considered, around))
      const decisive = rule.op === 'any'
      if (answers.includes(decisive)) return decisive
      return answers.includes(undefined) ? undefined : !decisive
    }
    case 'not': {
      const answer = recall(rule.rule, considered, around)
      return answer === undefined ? undefined : !answer
    }
    case 'label':
    case 'author':
      return holds(rule, considered, around)
    default:
      return undefined
  }
}
