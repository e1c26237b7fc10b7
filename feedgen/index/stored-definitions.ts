/**
 * What the live definitions are kept in: their records, and the posts that matched them.
 */
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
  /** The version for which all posts of the past were matched; null when none was. */
  readonly filledVersion: number | null
  /** The version that was live before definitions had bounds; null for those that came later. */
  readonly allowedVersion: number | null
  /**
   * The newest version that was in service, or in which it was deleted; null when it never was
   * either.
   */
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
  /** Deletes the definition's matches, in small steps with ingest in between. */
  removeMatches(definition: DefinitionId): Promise<void>
  /** Adds posts that still exist and are not matched yet. */
  addMatches(definition: DefinitionId, posts: readonly PostId[]): Promise<void>
  /** Notes that the past was matched for that version of the definition. */
  setFilled(definition: DefinitionId, version: number): Promise<void>
}
