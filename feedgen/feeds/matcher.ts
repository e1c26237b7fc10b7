/**
 * Which definitions take in a post: asked once for each post that is indexed, of all definitions at
 * once.
 *
 * Definitions lie under the keys of their covers, so that a post is only shown to those that have
 * one of its keys; what it costs grows with the definitions that come near it, not with those that
 * there are.
 */

import type { DefinitionId } from '../algorithm/facts.ts'
import type { PostFeatures } from '../algorithm/features.ts'
import { coverOf, isEveryPost, type KeyKind, keyKinds, keysOf } from '../algorithm/index-keys.ts'
import { decide, type Rule } from '../algorithm/rule.ts'

interface Entry {
  readonly id: DefinitionId
  /** True of a post that matches, as far as its record says. */
  readonly rule: Rule
  /** The last post that it was shown. */
  shown: number
}

export class Matcher {
  readonly #entries = new Map<DefinitionId, Entry>()
  readonly #byKey = new Map<KeyKind, Map<string, Entry[]>>(keyKinds.map((kind) => [kind, new Map()]))
  /** Those that have to see every post. */
  readonly #keyless = new Map<DefinitionId, Entry>()
  #posts = 0

  /** Takes in posts by a rule from now on, in place of the one before. */
  set(id: DefinitionId, rule: Rule): void {
    this.delete(id)
    const entry: Entry = { id, rule, shown: 0 }
    this.#entries.set(id, entry)
    const cover = coverOf(rule)
    if (isEveryPost(cover)) {
      this.#keyless.set(id, entry)
      return
    }
    for (const { kind, value } of cover.keys) {
      const entries = this.#byKey.get(kind) as Map<string, Entry[]>
      const there = entries.get(value)
      if (there === undefined) entries.set(value, [entry])
      else if (!there.includes(entry)) there.push(entry)
    }
  }

  delete(id: DefinitionId): void {
    const entry = this.#entries.get(id)
    if (entry === undefined) return
    this.#entries.delete(id)
    this.#keyless.delete(id)
    for (const { kind, value } of coverOf(entry.rule).keys) {
      const entries = this.#byKey.get(kind) as Map<string, Entry[]>
      const left = (entries.get(value) ?? []).filter((other) => other !== entry)
      if (left.length > 0) entries.set(value, left)
      else entries.delete(value)
    }
  }

  /** The definitions that take in the post, or may, where that depends on more than its record. */
  match(features: PostFeatures): DefinitionId[] {
    const matched: DefinitionId[] = []
    const post = ++this.#posts
    const show = (entry: Entry) => {
      if (entry.shown === post) return
      entry.shown = post
      if (decide(entry.rule, features) !== false) matched.push(entry.id)
    }
    for (const [kind, entries] of this.#byKey) {
      if (entries.size === 0) continue
      for (const key of keysOf(features, kind)) entries.get(key)?.forEach(show)
    }
    this.#keyless.forEach(show)
    return matched
  }
}
