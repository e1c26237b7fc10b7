/** The result of an import: a definition, and a note for each part that could not be converted. */
import type { Definition, Filter } from '../../../feedgen/algorithm/definition.ts'

export interface Imported {
  definition: Definition
  /** The feed's name. */
  name?: string
  description?: string
  notes: readonly Note[]
}

/** A difference from the original: a part lost, a part changed, or a default assumed. */
export interface Note {
  /** The path in the original: `blocks[3]`. */
  at: string
  kind: 'lost' | 'changed' | 'assumed'
  says: string
  /** Whether the feed gets more posts without it. */
  widens?: true
}

/** Collects notes. */
export class Notes {
  readonly list: Note[] = []

  lost(at: string, says: string): void {
    this.list.push({ at, kind: 'lost', says })
  }

  /** A lost condition: posts that it excluded would appear. */
  lostFilter(at: string, says: string): void {
    this.list.push({ at, kind: 'lost', says, widens: true })
  }

  changed(at: string, says: string): void {
    this.list.push({ at, kind: 'changed', says })
  }

  /** A default for what the original leaves open. */
  assumed(at: string, says: string): void {
    this.list.push({ at, kind: 'assumed', says })
  }
}

/** The import is malformed. */
export class ImportError extends Error {
  override name = 'ImportError'
}

/** Resolves a handle to a DID; undefined if it does not resolve. */
export type DidOf = (handle: string) => Promise<string | undefined>

export type Json = Record<string, unknown>

export const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
export const text = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined)
export const texts = (value: unknown): string[] =>
  Array.isArray(value) ? value.filter((item) => typeof item === 'string') : []

/** Negates a filter; a double negation cancels out. */
export const not = (filter: Filter): Filter =>
  filter.kind === 'not' ? filter.of : { kind: 'not', of: filter }

/** The conjunction of filters; undefined when there are none. */
export function all(filters: readonly Filter[]): Filter | undefined {
  return filters.length > 1 ? { kind: 'all', of: [...filters] } : filters[0]
}

/** The date if valid, else the current time. */
export function dateOf(value: unknown): string {
  const date = new Date(typeof value === 'string' ? value : Number.NaN)
  return Number.isNaN(date.getTime()) ? new Date().toISOString() : date.toISOString()
}

/** The window in hours, clamped to what definitions allow. */
export function windowOf(hours: number): number {
  return Math.min(Math.max(Math.ceil(hours), 1), windowHoursMax)
}

/** The longest window of definitions. */
export const windowHoursMax = 720

/**
 * The at-URI of a list or starter pack, from its at-URI or its URL in the app.
 * @returns undefined when it is neither, or its handle does not resolve
 */
export async function uriOf(address: string, collection: string, didOf: DidOf): Promise<string | undefined> {
  const [, repo, rkey] =
    /^at:\/\/([^/]+)\/[a-zA-Z.]+\/([^/?#]+)$/.exec(address) ??
    /^https?:\/\/[^/]+\/(?:profile|starter-pack|start)\/([^/]+)\/(?:lists?\/)?([^/?#]+)\/?$/.exec(address) ??
    []
  if (repo === undefined || rkey === undefined) return undefined
  const did = await didOfName(repo, didOf)
  return did && `at://${did}/${collection}/${rkey}`
}

/** The DID of an account named by handle or DID. */
export async function didOfName(name: string, didOf: DidOf): Promise<string | undefined> {
  return name.startsWith('did:') ? name : didOf(name.replace(/^@/, ''))
}
