/** What the live definitions are kept in: their records, and the posts that were taken in for them. */
import type { DefinitionId, PostId } from '../algorithm/facts.ts'

export interface StoredDefinition {
  readonly id: DefinitionId
  /** The DID of whose repository it stands in. */
  readonly author: string
  readonly rkey: string
  /** Its DAG-CBOR; null once it was deleted. */
  readonly record: Uint8Array | null
  /** Rises with each change to any definition. */
  readonly version: number
  /** The version for which all posts of the past were taken in; null when none was. */
  readonly filledVersion: number | null
  /** The version that was live before definitions had bounds; null for those that came later. */
  readonly allowedVersion: number | null
  /** The newest version that was in service, or in which it was deleted; null when it never was either. */
  readonly servedVersion: number | null
  /** What the record said then; null when it was deleted. */
  readonly servedRecord: Uint8Array | null
}

export interface DefinitionReader {
  /** Those that changed after the version, in the order of their changes. */
  definitions(after: number): Promise<StoredDefinition[]>
  /** The feed records that name this service. */
  generators(): Promise<{ uri: string; rkey: string }[]>
}

export interface DefinitionWriter {
  /** Notes what is in service, unless something newer was noted. */
  setServed(served: readonly { id: DefinitionId; version: number; record: Uint8Array }[]): Promise<void>
}

export interface MatchWriter {
  /** Forgets what was taken in for the definition; in small steps, which ingest goes on between. */
  removeMatches(definition: DefinitionId): Promise<void>
  /** Takes in posts, as far as they are still there and not taken in yet. */
  addMatches(definition: DefinitionId, posts: readonly PostId[]): Promise<void>
  /** Notes that the past was taken in for the definition as it was in that version. */
  setFilled(definition: DefinitionId, version: number): Promise<void>
}
