/**
 * What an algorithm is asked: for whom, when, over which facts; and what has been found out on the
 * way.
 */

import type { ActorSet } from '../algorithm/definition.ts'
import type { AccountId, DefinitionId, PostId } from '../algorithm/facts.ts'
import { featuresOf, type PostFeatures } from '../algorithm/features.ts'
import type { Deadline } from './deadline.ts'
import type { Facts } from './index-queries.ts'

export interface Question {
  readonly facts: Facts
  /** Milliseconds since 1970. */
  readonly now: number
  /** The DID of who looks. */
  readonly viewer?: string
  /**
   * Under this number posts were matched for the definition as they arrived. Without one, the past
   * is searched.
   */
  readonly definition?: DefinitionId
  /** How far sources reach; as for what is served, when it is absent. */
  readonly reach?: Reach
  /** A post of which it is asked why it is there, or not. */
  readonly watch?: PostId
  /** When an answer is no longer waited for; never, when it is absent. */
  readonly deadline?: Deadline
  /** Where authors go of whom more should be known; nowhere, when it is absent. */
  readonly accounts?: AccountWants
  /** The posts of another feed that is served here, by its URI. */
  feed?(uri: string): Promise<readonly PostId[]>
}

/** Takes note of accounts that an AppView is to be asked about. */
export interface AccountWants {
  /** How old what is known may be. */
  readonly ageMsMax: number
  want(account: AccountId): void
}

/** How much of the past is looked at. */
export interface Reach {
  /** Posts that one source brings. */
  readonly postsMax: number
  /** Posts that are examined where none were matched at ingest. */
  readonly scannedPostsMax: number
}

/** The reach of what is served. */
const ordinaryReach: Reach = { postsMax: 3000, scannedPostsMax: 20_000 }

/** Records that are read at once. */
const recordsAtOnceMax = 1000

/** Accounts of one set. */
const accountsMax = 10_000

/** A question under way: each thing is looked up once. */
export class Inquiry {
  readonly question: Question
  readonly facts: Facts
  readonly reach: Reach
  /** How many posts were looked at in searching the past, and whether that was all of it. */
  examined = 0
  complete = true
  readonly #sets = new Map<ActorSet, Promise<AccountId[]>>()
  readonly #features = new Map<PostId, PostFeatures>()
  #viewer: Promise<AccountId | undefined> | undefined

  constructor(question: Question) {
    this.question = question
    this.facts = question.facts
    this.reach = question.reach ?? ordinaryReach
  }

  /**
   * To be called before each post that is looked at.
   * @throws DeadlineError, CancelledError
   */
  check(): void {
    this.question.deadline?.check()
  }

  /** The viewer, if there is one and anything is known about them. */
  viewer(): Promise<AccountId | undefined> {
    const { viewer } = this.question
    this.#viewer ??= viewer === undefined ? Promise.resolve(undefined) : this.#account(viewer)
    return this.#viewer
  }

  /** The accounts of a set, as far as they are known here. */
  accountsOf(set: ActorSet): Promise<AccountId[]> {
    let accounts = this.#sets.get(set)
    if (accounts === undefined) {
      accounts = this.#resolve(set)
      this.#sets.set(set, accounts)
    }
    return accounts
  }

  /** The features of posts, as far as their records are here. */
  async features(ids: Iterable<PostId>): Promise<ReadonlyMap<PostId, PostFeatures>> {
    const missing = [...ids].filter((id) => !this.#features.has(id))
    for (let at = 0; at < missing.length; at += recordsAtOnceMax) {
      const records = await this.facts.records(missing.slice(at, at + recordsAtOnceMax))
      this.check()
      for (const [id, { record, author }] of records) this.#features.set(id, featuresOf(record, author))
    }
    return this.#features
  }

  async #resolve(set: ActorSet): Promise<AccountId[]> {
    switch (set.kind) {
      case 'actors':
        return [...(await this.facts.accounts(set.dids)).values()]
      case 'list':
      case 'starterPack':
        return this.facts.members(set.uri, { limit: accountsMax })
      case 'graph':
      case 'viewerGraph': {
        const account = set.kind === 'graph' ? await this.#account(set.of) : await this.viewer()
        return account === undefined ? [] : this.facts.graph(account, set.edge, { limit: accountsMax })
      }
    }
  }

  async #account(did: string): Promise<AccountId | undefined> {
    return (await this.facts.accounts([did])).get(did)
  }
}
