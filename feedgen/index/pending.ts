/**
 * What is still to be fetched from elsewhere: the pasts of viewers, repositories that jumped,
 * profiles, what an AppView says of accounts.
 */
import { type Logger, logger } from '#platform/log.ts'
import type { AccountFacts } from '../algorithm/facts.ts'
import { accountFactsOf } from './read/queries.ts'
import type { Store } from './store.ts'
import { formatUri, LIST, parseUri } from './uris.ts'
import { isRefusal } from './write/refusals.ts'

/** Among so many of the newest posts authors are looked for whose profile nobody looked at. */
const postsLookedAtMax = 5000

/** Of those viewers who asked last, lists that they block are looked for. */
const blockersLookedAtMax = 100

export class Pending {
  readonly #store: Store
  readonly #log: Logger = logger('index')

  constructor(store: Store) {
    this.#store = store
  }

  /**
   * Notes that a page made for the account was asked for. Whether its past is here.
   * @param options `mutuals`: the page is made of those who follow it back
   */
  async viewerAsked(did: string, { mutuals = false }: { mutuals?: boolean } = {}): Promise<boolean> {
    return this.#store.transaction(async ({ rows, now }) => {
      await rows.insertMissing('accounts', [{ did }])
      const [account] = await rows.find('accounts', [{ did }])
      const key = { account: account!.id }
      const [viewer] = await rows.find('viewers', [key])
      const asked = { asked_at: now, ...(mutuals && { mutuals_asked_at: now }) }
      if (viewer) await rows.update('viewers', ['account'], [{ ...key, ...asked }])
      else await rows.insert('viewers', [{ ...key, ...asked, fetched_at: null }])
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

  /**
   * The DIDs of viewers who asked for a page made of their mutuals since it was last looked up who
   * those are, if that was before a time; those who asked last first.
   */
  async mutualsWanted(limit: number, before: number): Promise<string[]> {
    const found = await this.#store.db
      .selectFrom('viewers')
      .innerJoin('accounts', 'accounts.id', 'viewers.account')
      .select('did')
      .where('fetched_at', 'is not', null)
      .where(({ and, or, eb, ref }) =>
        or([
          and([eb('mutuals_asked_at', 'is not', null), eb('mutuals_read_at', 'is', null)]),
          and([eb('mutuals_read_at', '<', before), eb('mutuals_asked_at', '>', ref('mutuals_read_at'))]),
        ]),
      )
      .orderBy('mutuals_asked_at', 'desc')
      .limit(limit)
      .execute()
    return found.map(({ did }) => did)
  }

  /** Notes that it was looked up who follows a viewer back. */
  async mutualsRead(did: string): Promise<void> {
    const { db } = this.#store
    await db
      .updateTable('viewers')
      .set({ mutuals_read_at: Date.now() })
      .where('account', '=', (query) => query.selectFrom('accounts').select('id').where('did', '=', did))
      .execute()
  }

  /**
   * The DIDs of accounts among the newest that a viewer follows of which it is not known whether
   * they follow the viewer: not looked up since the viewer was first seen, and not tried since a
   * time.
   */
  async followsUnread(
    viewer: string,
    { newest, before }: { newest: number; before: number },
  ): Promise<string[]> {
    const { db } = this.#store
    const me = await db
      .selectFrom('viewers')
      .innerJoin('accounts', 'accounts.id', 'viewers.account')
      .select(['accounts.id', 'viewers.fetched_at as seenAt'])
      .where('did', '=', viewer)
      .executeTakeFirst()
    if (me === undefined) return []
    const followed = db
      .selectFrom('follows')
      .select(['subject', 'rkey'])
      .where('author', '=', me.id)
      .where('subject', '<>', me.id)
      .orderBy('rkey', 'desc')
      .limit(newest)
    const found = await db
      .selectFrom(followed.as('mine'))
      .innerJoin('accounts', 'accounts.id', 'mine.subject')
      .leftJoin('follow_reads', 'follow_reads.account', 'mine.subject')
      .leftJoin('viewers', 'viewers.account', 'mine.subject')
      .select('did')
      .distinct()
      .where('accounts.active', '=', 1)
      // Of viewers all follows are here.
      .where('viewers.fetched_at', 'is', null)
      .where(({ or, eb }) =>
        or([eb('follow_reads.read_at', 'is', null), eb('follow_reads.read_at', '<', me.seenAt ?? 0)]),
      )
      .where(({ or, eb }) =>
        or([eb('follow_reads.tried_at', 'is', null), eb('follow_reads.tried_at', '<', before)]),
      )
      .where(({ not, exists, selectFrom }) =>
        not(
          exists(
            selectFrom('follows as theirs')
              .select('theirs.rkey')
              .whereRef('theirs.author', '=', 'mine.subject')
              .where('theirs.subject', '=', me.id),
          ),
        ),
      )
      .execute()
    return found.map(({ did }) => did)
  }

  /** Those of the accounts that are viewers. */
  async viewersAmong(dids: readonly string[]): Promise<Set<string>> {
    if (dids.length === 0) return new Set()
    const found = await this.#store.db
      .selectFrom('viewers')
      .innerJoin('accounts', 'accounts.id', 'viewers.account')
      .select('did')
      .where('did', 'in', dids)
      .execute()
    return new Set(found.map(({ did }) => did))
  }

  /**
   * Notes that an account's follows of viewers were looked for, from a time on, and whether they
   * could be read.
   */
  async followsTried(did: string, { at, isRead }: { at: number; isRead: boolean }): Promise<void> {
    await this.#store.transaction(async ({ rows }) => {
      const [account] = await rows.find('accounts', [{ did }])
      if (account === undefined) return
      const key = { account: account.id }
      const [known] = await rows.find('follow_reads', [key])
      const row = { ...key, tried_at: at, read_at: isRead ? at : (known?.read_at ?? null) }
      if (known) await rows.update('follow_reads', ['account'], [row])
      else await rows.insert('follow_reads', [row])
    })
  }

  /** The URIs of lists that viewers block who asked lately, and whose items nobody fetched. */
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
      .where('lists.items_read_at', 'is', null)
      .where('accounts.active', '=', 1)
      .limit(limit)
      .execute()
    return found.map(({ did, rkey }) => formatUri({ did, collection: LIST, rkey }))
  }

  /** Notes that the items of a list were fetched. */
  async listRead(uri: string): Promise<void> {
    const { did, rkey } = parseUri(uri) ?? { did: '', rkey: '' }
    await this.#store.db
      .updateTable('lists')
      .set({ items_read_at: Date.now() })
      .where('author', '=', (query) => query.selectFrom('accounts').select('id').where('did', '=', did))
      .where('rkey', '=', rkey)
      .execute()
  }

  /**
   * The accounts whose repositories jumped, in the order of their numbers, those behind a number.
   */
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

  /** What an AppView said of accounts, by their DIDs, as far as it was asked. */
  async accountFacts(dids: readonly string[]): Promise<Map<string, AccountFacts>> {
    if (dids.length === 0) return new Map()
    const found = await this.#store.db
      .selectFrom('account_facts')
      .innerJoin('accounts', 'accounts.id', 'account_facts.account')
      .select(['did', 'account', 'created_at', 'followers', 'read_at'])
      .where('did', 'in', dids)
      .execute()
    return new Map(found.map((row) => [row.did, accountFactsOf(row)]))
  }

  /**
   * Keeps what an AppView said of accounts, in place of what it said before. What the store refuses
   * for good keeps nothing else out.
   */
  async keepAccountFacts(read: ReadonlyMap<string, AccountFacts>): Promise<void> {
    if (read.size === 0) return
    try {
      await this.#writeAccountFacts(read)
    } catch (error) {
      if (!isRefusal(error)) throw error
      const all = [...read]
      const middle = all.length >> 1
      if (middle === 0) {
        this.#log.error(
          {
            did: all[0]?.[0],
            err: error,
            todo: 'nothing: the other accounts are stored; report it if it goes on',
          },
          'the store refuses what an AppView said of an account; dropped',
        )
        return
      }
      await this.keepAccountFacts(new Map(all.slice(0, middle)))
      await this.keepAccountFacts(new Map(all.slice(middle)))
    }
  }

  async #writeAccountFacts(read: ReadonlyMap<string, AccountFacts>): Promise<void> {
    await this.#store.transaction(async ({ rows }) => {
      const keys = [...read.keys()].map((did) => ({ did }))
      await rows.insertMissing('accounts', keys)
      // In one order, so that no two processes wait for each other.
      const accounts = (await rows.find('accounts', keys)).sort((a, b) => a.id - b.id)
      const facts = accounts.flatMap(({ id, did, status }) => {
        const { createdAt = null, followers = null, readAt } = read.get(did) ?? { readAt: undefined }
        if (readAt === undefined || status === 'deleted') return []
        return { account: id, created_at: createdAt, followers, read_at: readAt }
      })
      await rows.insertMissing('account_facts', facts)
      await rows.update('account_facts', ['account'], facts)
    })
  }

  /**
   * Authors of recent posts whose profile nobody looked at, in the order of their numbers, those
   * behind a number.
   */
  async authorsWithoutProfile(limit: number, after: number): Promise<{ id: number; did: string }[]> {
    const recent = this.#store.db
      .selectFrom('posts')
      .select('author')
      .where('present', '=', 1)
      .orderBy('id', 'desc')
      .limit(postsLookedAtMax)
    return this.#store.db
      .selectFrom(recent.as('recent'))
      .innerJoin('accounts', 'accounts.id', 'recent.author')
      .leftJoin('profiles', 'profiles.account', 'recent.author')
      .select(['accounts.id', 'did'])
      .distinct()
      .where('profiles.account', 'is', null)
      .where('accounts.id', '>', after)
      .orderBy('accounts.id')
      .limit(limit)
      .execute()
  }
}
