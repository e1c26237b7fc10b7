/**
 * The way into the index: has each post matched against the live definitions, has everything
 * written, and says when definitions changed.
 */
import { type Logger, logger } from '#platform/log.ts'
import { decode, isMap } from '#protocol/cbor.ts'
import type { DefinitionId, PostId } from '../algorithm/facts.ts'
import { featuresOf, type PostFeatures } from '../algorithm/features.ts'
import type { DefinitionWriter, MatchWriter } from './stored-definitions.ts'
import { parseUri } from './uris.ts'
import type { IndexEvent, NewPost, Outcome, Position, RepositoryContent } from './write/events.ts'
import type { Recorder } from './write/index-writer.ts'

export * from './write/events.ts'

/** The definitions that take in a post. */
export type Match = (features: PostFeatures) => readonly DefinitionId[]

/** What an object's methods are, wherever it runs. */
export type MethodsOf<T> = { [K in keyof T]: T[K] }

export class IndexWriter implements MatchWriter, DefinitionWriter {
  readonly #recorder: MethodsOf<Recorder>
  readonly #log: Logger = logger('index')
  #match: Match | undefined
  #definitionsChanged: () => void = () => {}

  constructor(recorder: MethodsOf<Recorder>) {
    this.#recorder = recorder
  }

  /** Has posts matched so from now on. */
  matchWith(match: Match): void {
    this.#match = match
  }

  /** Has this called after each commit that changed definitions or feed records. */
  whenDefinitionsChange(listener: () => void): void {
    this.#definitionsChanged = listener
  }

  /**
   * Writes the events in their order, and how far that brings the endpoint. Resolves, with what
   * became of each, once it is committed.
   */
  async apply(events: readonly IndexEvent[], position?: Position): Promise<Outcome[]> {
    let changesDefinitions = false
    for (const event of events) {
      if (!('changes' in event)) continue
      for (const { table, uri, row } of event.changes) {
        if (table === 'posts') {
          if (row && this.#match) row.matches = this.#matchesOf(uri, row, this.#match)
        } else if (table === 'definitions' || table === 'generators') changesDefinitions = true
      }
    }
    const outcomes = await this.#recorder.apply(events, position)
    if (changesDefinitions || outcomes.includes('jumped')) this.#definitionsChanged()
    return outcomes
  }

  /**
   * Removes what a repository does not hold any more, in steps. Resolves when that is done, or
   * newer events came in between (`stale`).
   */
  async clean(content: RepositoryContent): Promise<Outcome> {
    const outcome = await this.#recorder.clean(content)
    this.#definitionsChanged()
    return outcome
  }

  /** Goes a step on with an account that was deleted or has jumped; whether there may be more. */
  sweep(): Promise<boolean> {
    return this.#recorder.sweep()
  }

  /** How far the endpoint was followed; undefined when it never was. */
  cursor(endpoint: string): Promise<number | undefined> {
    return this.#recorder.cursor(endpoint)
  }

  /** Forgets how far the endpoint was followed. */
  forgetCursor(endpoint: string): Promise<void> {
    return this.#recorder.forgetCursor(endpoint)
  }

  /** The revision of a repository that events have told; null when none did. */
  rev(did: string): Promise<string | null> {
    return this.#recorder.rev(did)
  }

  setServed(served: Parameters<DefinitionWriter['setServed']>[0]): Promise<void> {
    return this.#recorder.setServed(served)
  }

  removeMatches(definition: DefinitionId): Promise<void> {
    return this.#recorder.removeMatches(definition)
  }

  addMatches(definition: DefinitionId, posts: readonly PostId[]): Promise<void> {
    return this.#recorder.addMatches(definition, posts)
  }

  setFilled(definition: DefinitionId, version: number): Promise<void> {
    return this.#recorder.setFilled(definition, version)
  }

  /** The definitions that take in a post; none when matching fails, as it would each time. */
  #matchesOf(uri: string, { record: bytes }: NewPost, match: Match): readonly DefinitionId[] {
    try {
      const record = decode(bytes)
      return isMap(record) ? match(featuresOf(record, parseUri(uri)?.did ?? '')) : []
    } catch (error) {
      this.#log.error(
        {
          uri,
          err: error,
          todo: 'the post is in no feed that matches as posts come; report this with the stack',
        },
        'a post cannot be matched against the definitions',
      )
      return []
    }
  }
}
