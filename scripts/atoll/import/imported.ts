/** What comes out of an import: a definition, and what could not be carried over, said for each part. */
import type { Definition, Filter } from '../../../feedgen/algorithm/definition.ts'

export interface Imported {
  definition: Definition
  /** How the feed was called. */
  name?: string
  description?: string
  notes: readonly Note[]
}

/** Something that is not as it was, or was not said: left out, only nearly the same, or taken to be what it usually is. */
export interface Note {
  /** Where in what was imported: `blocks[3]`. */
  at: string
  kind: 'lost' | 'changed' | 'assumed'
  says: string
  /** Whether the feed has more posts without it than it had. */
  widens?: true
}

/** Gathers notes. */
export class Notes {
  readonly list: Note[] = []

  lost(at: string, says: string): void {
    this.list.push({ at, kind: 'lost', says })
  }

  /** A condition that is lost: what it kept out would come in. */
  lostFilter(at: string, says: string): void {
    this.list.push({ at, kind: 'lost', says, widens: true })
  }

  changed(at: string, says: string): void {
    this.list.push({ at, kind: 'changed', says })
  }

  /** What the original leaves open, and what it is taken for. */
  assumed(at: string, says: string): void {
    this.list.push({ at, kind: 'assumed', says })
  }
}

/** What is imported has not the form that its maker gives such things. */
export class ImportError extends Error {
  override name = 'ImportError'
}

/** Looks up the DID behind a handle; undefined when nobody is called that. */
export type DidOf = (handle: string) => Promise<string | undefined>

export type Json = Record<string, unknown>

export const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
export const text = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined)
export const texts = (value: unknown): string[] =>
  Array.isArray(value) ? value.filter((item) => typeof item === 'string') : []

/** Short for a definition's `not`, which taken twice is nothing. */
export const not = (filter: Filter): Filter =>
  filter.kind === 'not' ? filter.of : { kind: 'not', of: filter }

/** All of the filters, as one; undefined when there are none. */
export function all(filters: readonly Filter[]): Filter | undefined {
  return filters.length > 1 ? { kind: 'all', of: [...filters] } : filters[0]
}

/** The date, where it is one; else the present. */
export function dateOf(value: unknown): string {
  const date = new Date(typeof value === 'string' ? value : Number.NaN)
  return Number.isNaN(date.getTime()) ? new Date().toISOString() : date.toISOString()
}

/** The hours that definitions may look back, nearest to those wanted. */
export function windowOf(hours: number): number {
  return Math.min(Math.max(Math.ceil(hours), 1), windowHoursMax)
}

/** As far as definitions look back. */
export const windowHoursMax = 720

/**
 * The at-URI of a list or starter pack, from one or from its address in the app.
 * @returns undefined when it is neither, or nobody has the handle in it
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

/** The DID of somebody who is named by handle or DID. */
export async function didOfName(name: string, didOf: DidOf): Promise<string | undefined> {
  return name.startsWith('did:') ? name : didOf(name.replace(/^@/, ''))
}
