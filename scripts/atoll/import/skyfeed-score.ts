/** The blocks of SkyFeed's builder that put posts into an order: `score` and `sort`. */
import type { Score, Term } from '../../../feedgen/algorithm/definition.ts'
import { type Json, type Notes, text } from './imported.ts'

const hotOffsetHours = 2

const scored = new Map<string, 'likes' | 'reposts' | 'replies'>([
  ['like_count', 'likes'],
  ['likes', 'likes'],
  ['repost_count', 'reposts'],
  ['reply_count', 'replies'],
])

/**
 * What a `score` block adds to a post's score; undefined, and a note, when that cannot be carried
 * over.
 */
export function termOf(block: Json, at: string, notes: Notes): Term | undefined {
  const kind = scored.get(text(block.from) ?? '')
  if (block.scoreType !== 'add' || block.value !== undefined || !kind) {
    notes.lost(at, `a score ${block.value === undefined ? `by ${block.from}` : 'by a script'}`)
    return undefined
  }
  if (block.normalize !== false) notes.changed(at, 'the score is not made relative to the highest one')
  const weight = Number(block.scoreNormalizationMultiplier ?? 1)
  return { kind, weightMilli: Math.round((Number.isFinite(weight) ? weight : 1) * 1000) }
}

/** The order that a `sort` block makes, with the terms of the `score` blocks before it. */
export function scoreOf(block: Json, terms: readonly Term[], at: string, notes: Notes): Score | undefined {
  const type = text(block.sortType) ?? ''
  const ascending = block.sortDirection === 'asc'
  const sign = ascending ? -1 : 1
  const counted = scored.get(type)
  if (type === 'created_at') return { order: ascending ? 'oldest' : 'newest' }
  if (type === 'random') return { order: 'random' }
  if (counted) return { order: 'score', terms: [{ kind: counted, weightMilli: sign * 1000 }] }
  if (type === 'hn') {
    const gravityMilli = Math.round(Math.min(Math.max(Number(block.gravity ?? 1.8) || 1.8, 0), 10) * 1000)
    return {
      order: 'score',
      terms: [{ kind: 'likes', weightMilli: sign * 1000 }],
      fade: { kind: 'hot', gravityMilli, offsetHours: hotOffsetHours },
    }
  }
  if (type === 'score' && terms.length > 0) {
    return {
      order: 'score',
      terms: terms.map((term) => ({ ...term, weightMilli: sign * term.weightMilli })),
    }
  }
  notes.lost(at, `an order by ${type}`)
  return undefined
}
