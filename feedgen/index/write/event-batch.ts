/**
 * The events of one transaction: what they make of repositories and accounts, and the records that
 * are still to be written.
 *
 * An event may come twice (after a reconnect, or from two endpoints); its repository's revision
 * tells.
 */
import { isValidDid } from '@atproto/syntax'
import { cidToBytes } from '#protocol/cid.ts'
import { type AccountRow, everyVersion, type Row, unknownVersion } from '../schema.ts'
import type { Tx } from '../store.ts'
import { POST, parseUri } from '../uris.ts'
import {
  type AccountChange,
  type Change,
  type CommitChange,
  type FetchedChange,
  type IndexEvent,
  type LabelsChange,
  type Outcome,
  type RepositoryContent,
  type RepositoryTable,
  repositoryTables,
  type SyncChange,
} from './events.ts'
import type { Names } from './id-cache.ts'
import { Draft } from './upserts.ts'

/** What `accounts.active` says of an active account while its rows are gone through. */
const HIDDEN = 2

/** The status of an account that is gone for good. */
const DELETED = 'deleted'

/** How many records of a repository are read or removed in one statement. */
const pageRowsMax = 500
/**
 * How many rows of accounts that are gone or jumped are gone through in one transaction; the rest
 * goes in steps of its own.
 */
export const SWEEP_ROWS_MAX = 500

/** In the order in which they are removed: what feeds are made by goes first. */
const DELETION_TABLES: readonly RepositoryTable[] = [
  'generators',
  'definitions',
  ...repositoryTables.filter((table) => table !== 'generators' && table !== 'definitions'),
]
const MARKED_TABLES = ['posts', 'reposts'] as const satisfies readonly RepositoryTable[]

/** Where going through an account's rows goes on. */
interface SweepPlace {
  readonly table: RepositoryTable
  /** The record key behind which it goes on. */
  readonly after: string
  /** The newest rows that it is about, by their numbers; absent where it is about all. */
  readonly until?: Readonly<Record<(typeof MARKED_TABLES)[number], number>>
}

/** Where a step of cleaning a repository begins. */
export interface CleaningPlace {
  table: RepositoryTable
  /** The record key behind which it begins. */
  after: string
}

/** What a step of cleaning came to, or where the next begins. */
export type CleaningStep = { outcome: Outcome } | { next: CleaningPlace }

type LabelKey = Pick<Row<'labels'>, 'account' | 'post' | 'src' | 'val' | 'cid'>

export class Batch {
  readonly #tx: Tx
  readonly #names: Names
  readonly #accounts: Map<string, AccountRow>
  readonly #touched = new Set<AccountRow>()
  #draft = new Draft()
  #sweepRowsLeft = SWEEP_ROWS_MAX

  private constructor(tx: Tx, names: Names, accounts: Map<string, AccountRow>) {
    this.#tx = tx
    this.#names = names
    this.#accounts = accounts
  }

  static async begin(tx: Tx, names: Names, events: readonly { did: string }[]): Promise<Batch> {
    const dids = new Set(events.map(({ did }) => did))
    return new Batch(tx, names, await names.accounts(tx.rows, dids))
  }

  async add(event: IndexEvent): Promise<Outcome> {
    const account = this.#accounts.get(event.did)!
    if (event.kind === 'account') return this.#addAccount(account, event)
    if (account.status === DELETED) return 'deleted'
    switch (event.kind) {
      case 'commit':
      case 'sync':
        return this.#advance(account, event)
      case 'fetched':
        return this.#addFetched(account, event)
      case 'labels':
        return this.#addLabels(account, event)
    }
  }

  /**
   * Removes what is not in the repository any more from the next rows of a table, and shows the
   * others again, unless events brought newer commits. From the first step on the repository
   * stands at the content's revision, so that older events say nothing; it counts as jumped until
   * the last.
   * @param place absent at the first step
   */
  async clean({ did, rev, data, present }: RepositoryContent, place?: CleaningPlace): Promise<CleaningStep> {
    const account = this.#accounts.get(did)!
    if (account.status === DELETED) return { outcome: 'deleted' }
    // What was found to be there is not to be marked as unsure afterwards.
    if (account.sweep !== null) return { outcome: 'stale' }
    const isOvertaken = place === undefined ? account.rev !== null && rev < account.rev : account.rev !== rev
    if (isOvertaken) return { outcome: 'stale' }
    const tables = [...present.keys()]
    const { table, after } = place ?? { table: tables[0]!, after: '' }
    const rows = await this.#rowsBehind(account, table, after)
    const last = rows.length < pageRowsMax ? undefined : rows.at(-1)?.rkey
    for (const { rkey, isPresent } of rows)
      if (isPresent && !present.get(table)?.has(rkey)) this.#draft.add(account, table, rkey, null)
    await this.#writeDraft()
    if (table === 'posts' || table === 'reposts') {
      await this.#tx.db
        .updateTable(table)
        .set({ unsure: 0 })
        .where('author', '=', account.id)
        .where('rkey', '>', after)
        .$if(last !== undefined, (query) => query.where('rkey', '<=', last as string))
        .execute()
    }
    const following = tables[tables.indexOf(table) + 1]
    const next = last !== undefined ? { table, after: last } : following && { table: following, after: '' }
    Object.assign(account, { rev, data, jumped: next ? 1 : 0 })
    this.#touched.add(account)
    return next ? { next } : { outcome: 'applied' }
  }

  /** Goes on with an account whose rows are gone through, as far as one transaction goes. */
  async sweep(did: string): Promise<void> {
    await this.#sweep(this.#accounts.get(did)!)
  }

  async end(): Promise<void> {
    await this.#writeDraft()
    for (const account of this.#touched) this.#names.keep(account)
    await this.#tx.rows.update(
      'accounts',
      ['id'],
      [...this.#touched].map(({ did, ...account }) => account),
    )
  }

  async #advance(account: AccountRow, event: CommitChange | SyncChange): Promise<Outcome> {
    const { rev } = event
    if (isStale(event, account)) return 'stale'
    const jumps = account.rev !== null && !follows(event, account)
    if (jumps) await this.#distrust(account)
    if (event.kind === 'commit') for (const change of event.changes) this.#addChange(account, change)
    account.rev = rev
    account.data = event.data ?? null
    if (jumps) account.jumped = 1
    this.#touched.add(account)
    return jumps ? 'jumped' : 'applied'
  }

  async #addAccount(account: AccountRow, { active, status }: AccountChange): Promise<Outcome> {
    const wasDeleted = account.status === DELETED
    account.active = active ? (account.sweep === null ? 1 : HIDDEN) : 0
    account.status = active ? null : (status ?? null)
    this.#touched.add(account)
    if (account.status === DELETED) {
      this.#draft.add(account, 'profiles', 'self', null)
      await this.#tx.rows.remove('account_facts', [{ account: account.id }])
      await this.#tx.rows.remove('follow_reads', [{ account: account.id }])
      account.rev = null
      account.data = null
      account.jumped = 0
      await this.#beginSweep(account, { table: DELETION_TABLES[0]!, after: '' })
    } else if (wasDeleted && account.sweep !== null) {
      // It is back before all of it was removed: the rest is gone unless its repository says
      // otherwise.
      account.jumped = 1
      await this.#distrust(account)
    }
    return 'applied'
  }

  #addFetched(account: AccountRow, { asOf, changes }: FetchedChange): Outcome {
    if (account.rev !== asOf) return 'stale'
    for (const change of changes) this.#addChange(account, change)
    return 'applied'
  }

  async #addLabels({ id: src }: AccountRow, { labels }: LabelsChange): Promise<Outcome> {
    const { rows, now } = this.#tx
    const parts = labels.map(({ uri }) => (isValidDid(uri) ? { did: uri } : parseUri(uri)))
    const accounts = await this.#names.accounts(rows, new Set(parts.flatMap((part) => part?.did ?? [])))
    const uris = labels.map(({ uri }) => uri).filter((uri) => parseUri(uri)?.collection === POST)
    const posts = await this.#names.posts(rows, uris, now)
    const newest = new Map<string, Row<'labels'>>()
    for (const [i, { uri, cid, val, neg, madeAt, expiresAt }] of labels.entries()) {
      const part = parts[i]
      const post = part && 'collection' in part ? posts.get(uri) : 0
      if (!part || post === undefined) continue
      const account = accounts.get(part.did)!.id
      const version = cid === null || post === 0 ? everyVersion : cidToBytes(cid).toString('hex')
      const times = { made_at: madeAt, expires_at: expiresAt }
      const row = { src, val, account, post, cid: version, neg: neg ? 1 : 0, ...times }
      if (madeAt < (newest.get(nameOf(row))?.made_at ?? 0)) continue
      newest.set(nameOf(row), row)
    }
    const known = await rows.find('labels', [...newest.values()].map(keyOf))
    for (const row of known) {
      const name = nameOf(row)
      const word = newest.get(name)
      if (word && row.made_at > word.made_at) newest.delete(name)
    }
    await this.#replaceUnversioned(newest)
    const added = [...newest.values()]
    await rows.remove('labels', added.map(keyOf))
    await rows.insert('labels', added)
    return 'applied'
  }

  /** Removes labels of unknown versions that there are newer words for; drops older words. */
  async #replaceUnversioned(newest: Map<string, Row<'labels'>>): Promise<void> {
    const { rows } = this.#tx
    const keyOfUnknown = (row: Row<'labels'>) => keyOf({ ...row, cid: unknownVersion })
    const keys = new Map(
      [...newest.values()].map((row) => [nameOf({ ...row, cid: unknownVersion }), keyOfUnknown(row)]),
    )
    const unknown = await rows.find('labels', [...keys.values()])
    if (unknown.length === 0) return
    const madeAt = new Map(unknown.map((row) => [nameOf(row), row.made_at]))
    const replaced = new Map<string, LabelKey>()
    for (const [name, row] of newest) {
      const unknownName = nameOf({ ...row, cid: unknownVersion })
      const before = madeAt.get(unknownName)
      if (before === undefined) continue
      if (row.made_at < before) newest.delete(name)
      else replaced.set(unknownName, keyOfUnknown(row))
    }
    await rows.remove('labels', [...replaced.values()])
  }

  #addChange(account: AccountRow, { table, uri, row }: Change): void {
    this.#draft.add(account, table, uri.slice(uri.lastIndexOf('/') + 1), row)
  }

  /**
   * What was indexed of the repository so far is not shown until somebody looks whether it is still
   * there.
   */
  async #distrust(account: AccountRow): Promise<void> {
    await this.#writeDraft()
    const [posts, reposts] = [await this.#newest('posts'), await this.#newest('reposts')]
    await this.#beginSweep(account, { table: MARKED_TABLES[0], after: '', until: { posts, reposts } })
  }

  async #newest(table: (typeof MARKED_TABLES)[number]): Promise<number> {
    const found = await this.#tx.db
      .selectFrom(table)
      .select(({ fn }) => fn.max('id').as('id'))
      .executeTakeFirst()
    return found?.id ?? 0
  }

  /**
   * Has all of an account's rows gone through: as many as there is room for at once, the rest in
   * steps, while nothing of it is shown.
   */
  async #beginSweep(account: AccountRow, place: SweepPlace): Promise<void> {
    account.sweep = JSON.stringify(place)
    if (account.active === 1) account.active = HIDDEN
    await this.#sweep(account)
  }

  async #sweep(account: AccountRow): Promise<void> {
    await this.#writeDraft()
    this.#touched.add(account)
    while (account.sweep !== null && this.#sweepRowsLeft > 0) {
      const place = JSON.parse(account.sweep) as SweepPlace
      const limit = Math.min(pageRowsMax, this.#sweepRowsLeft)
      const rows = await this.#rowsBehind(account, place.table, place.after, limit)
      const last = rows.length < limit ? undefined : rows.at(-1)?.rkey
      this.#sweepRowsLeft -= rows.length
      if (place.until === undefined) {
        for (const { rkey, isPresent } of rows)
          if (isPresent) this.#draft.add(account, place.table, rkey, null)
        await this.#writeDraft()
      } else if (rows.length > 0) await this.#mark(account, place, place.until, rows.at(-1)!.rkey)
      const next = last === undefined ? behindTable(place) : { ...place, after: last }
      account.sweep = next ? JSON.stringify(next) : null
    }
    if (account.sweep === null && account.active === HIDDEN) account.active = 1
  }

  /** Marks the account's rows of a page as unsure, but not those that came since. */
  async #mark(
    { id }: AccountRow,
    { table, after }: SweepPlace,
    until: NonNullable<SweepPlace['until']>,
    last: string,
  ): Promise<void> {
    const marked = table === 'posts' ? 'posts' : 'reposts'
    await this.#tx.db
      .updateTable(marked)
      .set({ unsure: 1 })
      .where('author', '=', id)
      .where('rkey', '>', after)
      .where('rkey', '<=', last)
      .where('id', '<=', until[marked])
      .execute()
  }

  /** A page of an account's rows of a table, those of records that are only spoken of too. */
  async #rowsBehind(
    { id }: AccountRow,
    table: RepositoryTable,
    after: string,
    limit = pageRowsMax,
  ): Promise<{ rkey: string; isPresent: boolean }[]> {
    const isKept = table === 'posts' || table === 'lists'
    const rows = await this.#tx.db
      .selectFrom(table as 'posts')
      .select('rkey')
      .$if(isKept, (query) => query.select('present'))
      .where('author', '=', id)
      .where('rkey', '>', after)
      .orderBy('rkey')
      .limit(limit)
      .execute()
    return rows.map(({ rkey, present }) => ({ rkey, isPresent: present !== 0 }))
  }

  async #writeDraft(): Promise<void> {
    await this.#draft.write(this.#tx, this.#names)
    this.#draft = new Draft()
  }
}

/** Where a sweep goes on behind a table; undefined at its end. */
function behindTable(place: SweepPlace): SweepPlace | undefined {
  const tables: readonly RepositoryTable[] = place.until === undefined ? DELETION_TABLES : MARKED_TABLES
  const table = tables[tables.indexOf(place.table) + 1]
  return table && { ...place, table, after: '' }
}

/** Whether the event tells nothing new. Events without a root may be several of one revision. */
function isStale({ kind, rev, data }: CommitChange | SyncChange, known: AccountRow): boolean {
  if (known.rev === null || rev > known.rev) return false
  return !(kind === 'commit' && rev === known.rev && data === undefined && known.data === null)
}

/**
 * Whether no change lies between what is known of a repository and the event, as far as anybody can
 * tell.
 */
function follows(event: CommitChange | SyncChange, known: AccountRow): boolean {
  if (event.kind === 'sync') return event.data !== undefined && event.data === known.data
  if (event.data === undefined || known.data === null) return true
  return event.prevData === undefined ? event.since === known.rev : event.prevData === known.data
}

function keyOf({ account, post, src, val, cid }: LabelKey): LabelKey {
  return { account, post, src, val, cid }
}

/** The key of a label among those of one labeler, as text. */
function nameOf({ account, post, val, cid }: LabelKey): string {
  return `${account} ${post} ${cid} ${val}`
}
