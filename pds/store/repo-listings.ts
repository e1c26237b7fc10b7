/** Accounts with a repository, a page at a time. */
import type { Args, Sqlite } from '#platform/sqlite.ts'
import type { Schema } from './schema.ts'

/** A line of `listRepos`. */
export interface RepoListing {
  readonly did: string
  readonly commit: Buffer
  readonly rev: string
  readonly createdAt: string
  readonly deactivatedAt: string | null
  readonly takedownRef: string | null
}

export class RepoListingStore {
  readonly #list
  readonly #pageWithCollection

  constructor(db: Sqlite<Schema>) {
    this.#list = db.prepare((q, arg: Args<{ createdAt: string; did: string; limit: number }>) =>
      q
        .selectFrom('account')
        .innerJoin('repo', 'repo.account', 'account.id')
        .select(['did', 'repo.commit', 'rev', 'createdAt', 'deactivatedAt', 'takedownRef'])
        .where((e) => e(e.refTuple('createdAt', 'did'), '>', e.tuple(arg.createdAt, arg.did)))
        .orderBy('createdAt')
        .orderBy('did')
        .limit(arg.limit),
    )
    this.#pageWithCollection = db.prepare(
      (q, arg: Args<{ after: number; collection: string; limit: number }>) =>
        q
          .selectFrom('account')
          .innerJoin('repo', 'repo.account', 'account.id')
          .select(['account.id', 'did', 'deactivatedAt', 'takedownRef'])
          .select((e) =>
            e
              .exists(
                e
                  .selectFrom('record')
                  .select('record.id')
                  .whereRef('record.repo', '=', 'repo.id')
                  .where('record.collection', '=', arg.collection),
              )
              .$castTo<0 | 1>()
              .as('hasCollection'),
          )
          .where('account.id', '>', arg.after)
          .orderBy('account.id')
          .limit(arg.limit),
    )
  }

  /** Accounts with a repository in order of creation, after the given one. */
  list(after: { createdAt: string; did: string }, limit: number): RepoListing[] {
    return this.#list.all({ ...after, limit })
  }

  /**
   * Accounts with a repository in the order of their ids, after the given one, and whether each has
   * records of a collection.
   */
  pageWithCollection(
    collection: string,
    after: number,
    limit: number,
  ): {
    readonly id: number
    readonly did: string
    readonly deactivatedAt: string | null
    readonly takedownRef: string | null
    readonly hasCollection: 0 | 1
  }[] {
    return this.#pageWithCollection.all({ collection, after, limit })
  }
}
