/**
 * The numbers behind DIDs and URIs, for the one who writes. What is asked for often is remembered;
 * a row is made for what has none. When a transaction fails, its numbers may never have been given
 * out: forget them all.
 */
import type { Rows } from '../rows.ts'
import type { AccountRow } from '../schema.ts'
import { LIST, POST, parseUri, type RecordUri } from '../uris.ts'

const accountsRememberedMax = 100_000
const postsRememberedMax = 100_000

export class Names {
  readonly #accounts = new Map<string, AccountRow>()
  readonly #posts = new Map<string, number>()

  /**
   * The accounts' rows by DID, as they stand; who changes one writes it back in the same
   * transaction.
   */
  async accounts(rows: Rows, dids: Iterable<string>): Promise<Map<string, AccountRow>> {
    const found = new Map<string, AccountRow>()
    const missing = new Set<string>()
    for (const did of dids) {
      const account = this.#accounts.get(did)
      if (account) found.set(did, account)
      else missing.add(did)
    }
    const add = (row: AccountRow) => {
      missing.delete(row.did)
      found.set(row.did, row)
      remember(this.#accounts, row.did, row, accountsRememberedMax)
    }
    for (const row of await rows.find('accounts', keysOf(missing))) add(row)
    for (const row of await rows.insertMissing('accounts', keysOf(missing))) add(row)
    // Another process made it just now.
    for (const row of await rows.find('accounts', keysOf(missing))) add(row)
    return found
  }

  /** The numbers of the posts among the URIs. */
  async posts(rows: Rows, uris: Iterable<string>, now: number): Promise<Map<string, number>> {
    const found = new Map<string, number>()
    const missing = new Map<string, RecordUri>()
    for (const uri of uris) {
      const id = this.#posts.get(uri)
      if (id !== undefined) found.set(uri, id)
      else {
        const parts = parseUri(uri)
        if (parts?.collection === POST) missing.set(uri, parts)
      }
    }
    await this.#number(rows, 'posts', missing, { seen_at: now }, (uri, id) => {
      found.set(uri, id)
      remember(this.#posts, uri, id, postsRememberedMax)
    })
    return found
  }

  /** The numbers of the lists among the URIs. */
  async lists(rows: Rows, uris: Iterable<string>): Promise<Map<string, number>> {
    const found = new Map<string, number>()
    const missing = new Map<string, RecordUri>()
    for (const uri of uris) {
      const parts = parseUri(uri)
      if (parts?.collection === LIST) missing.set(uri, parts)
    }
    await this.#number(rows, 'lists', missing, {}, (uri, id) => found.set(uri, id))
    return found
  }

  /** Remembers an account's row as it now stands. */
  keep(account: AccountRow): void {
    remember(this.#accounts, account.did, account, accountsRememberedMax)
  }

  /** Forgets everything. */
  forget(): void {
    this.#accounts.clear()
    this.#posts.clear()
  }

  /** Finds or makes the rows of these records. */
  async #number(
    rows: Rows,
    table: 'posts' | 'lists',
    missing: Map<string, RecordUri>,
    defaults: object,
    add: (uri: string, id: number) => void,
  ): Promise<void> {
    if (missing.size === 0) return
    const authors = await this.accounts(rows, new Set([...missing.values()].map(({ did }) => did)))
    const uris = new Map<string, string>()
    const keys = [...missing].map(([uri, { did, rkey }]) => {
      const author = authors.get(did)!.id
      uris.set(`${author}/${rkey}`, uri)
      return { author, rkey }
    })
    const take = ({ author, rkey, id }: { author: number; rkey: string; id: number }) => {
      const uri = uris.get(`${author}/${rkey}`)!
      missing.delete(uri)
      add(uri, id)
    }
    for (const row of await rows.find(table, keys)) take(row)
    const unknown = keys.filter(({ author, rkey }) => missing.has(uris.get(`${author}/${rkey}`)!))
    const made = unknown.map((key) => ({ ...key, ...defaults }))
    for (const row of await rows.insertMissing(table, made as never)) take(row)
  }
}

function keysOf(dids: Set<string>): { did: string }[] {
  return [...dids].map((did) => ({ did }))
}

function remember<V>(map: Map<string, V>, key: string, value: V, max: number): void {
  if (map.size >= max && !map.has(key)) map.delete(map.keys().next().value as string)
  map.set(key, value)
}
