/** What is still to be fetched from where accounts are: the pasts of viewers, repositories that jumped, profiles. */
import type { Store } from './store.ts'
import { formatUri, LIST } from './uris.ts'

/** Among so many of the newest posts authors are looked for whose profile nobody looked at. */
const postsLookedAtMax = 5000

/** Of those viewers who asked last, lists that they block are looked for. */
const blockersLookedAtMax = 100

export class Pending {
  readonly #store: Store

  constructor(store: Store) {
    this.#store = store
  }

  /** Notes that a page made for the account was asked for. Whether its past is here. */
  async viewerAsked(did: string): Promise<boolean> {
    return this.#store.transaction(async ({ rows, now }) => {
      await rows.insertMissing('accounts', [{ did }])
      const [account] = await rows.find('accounts', [{ did }])
      const key = { account: account!.id }
      const [viewer] = await rows.find('viewers', [key])
      if (viewer) await rows.update('viewers', ['account'], [{ ...key, asked_at: now }])
      else await rows.insert('viewers', [{ ...key, asked_at: now, fetched_at: null }])
      return viewer !== undefined && viewer.fetched_at !== null
    })
  }

  /** Notes that the account's past is here. */
  async viewerFetched(did: string): Promise<void> {
    const { db } = this.#store
    await db
      .updateTable('viewers')
      .set({ fetched_at: Date.now() })
      .where('account', '=', (query) => query.selectFrom('accounts').select('id').where('did', '=', did))
      .execute()
  }

  /** The DIDs of viewers whose past is not here, those who asked last first. */
  async viewers(limit: number): Promise<string[]> {
    const found = await this.#store.db
      .selectFrom('viewers')
      .innerJoin('accounts', 'accounts.id', 'viewers.account')
      .select('did')
      .where('fetched_at', 'is', null)
      .orderBy('asked_at', 'desc')
      .limit(limit)
      .execute()
    return found.map(({ did }) => did)
  }

  /** The URIs of lists that viewers block who asked lately, and that are not here. */
  async blockedLists(limit: number): Promise<string[]> {
    const { db } = this.#store
    const asked = db
      .selectFrom('viewers')
      .select('account')
      .where('fetched_at', 'is not', null)
      .orderBy('asked_at', 'desc')
      .limit(blockersLookedAtMax)
    const found = await db
      .selectFrom(asked.as('asked'))
      .innerJoin('list_blocks', 'list_blocks.author', 'asked.account')
      .innerJoin('lists', 'lists.id', 'list_blocks.list')
      .innerJoin('accounts', 'accounts.id', 'lists.author')
      .select(['accounts.did', 'lists.rkey'])
      .distinct()
      .where('lists.present', '=', 0)
      .where('accounts.active', '=', 1)
      .limit(limit)
      .execute()
    return found.map(({ did, rkey }) => formatUri({ did, collection: LIST, rkey }))
  }

  /** The accounts whose repositories jumped, in the order of their numbers, those behind a number. */
  async jumped(limit: number, after: number): Promise<{ id: number; did: string }[]> {
    return this.#store.db
      .selectFrom('accounts')
      .select(['id', 'did'])
      .where('jumped', '=', 1)
      .where('active', '=', 1)
      .where('id', '>', after)
      .orderBy('id')
      .limit(limit)
      .execute()
  }

  /** The DIDs of authors of recent posts whose profile nobody looked at. */
  async authorsWithoutProfile(limit: number): Promise<string[]> {
    const recent = this.#store.db
      .selectFrom('posts')
      .select('author')
      .where('present', '=', 1)
      .orderBy('id', 'desc')
      .limit(postsLookedAtMax)
    const found = await this.#store.db
      .selectFrom(recent.as('recent'))
      .innerJoin('accounts', 'accounts.id', 'recent.author')
      .leftJoin('profiles', 'profiles.account', 'recent.author')
      .select('did')
      .distinct()
      .where('profiles.account', 'is', null)
      .limit(limit)
      .execute()
    return found.map(({ did }) => did)
  }
}
