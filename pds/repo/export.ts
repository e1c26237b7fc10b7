/**
 * Repositories as CAR files: `getRepo`.
 *
 * An export shows the repository as it was when it began, however long its client takes and whatever is written meanwhile, and holds no
 * transaction: it reads pages, and blocks that leave the repository while it runs are kept aside for it (`retired_block`).
 */
import { carBlock, carHeader } from '#protocol/car.ts'
import type { Cid } from '#protocol/cid.ts'
import type { RepoPages } from '../store/repos.ts'
import type { Store } from '../store/store.ts'
import { RepoNotFoundError, type RepoOwner } from './errors.ts'

/** A page of an export in bytes of blocks; about what is handed to the socket at once. */
const PAGE_BYTES_MAX = 512 * 1024

export class Exports {
  readonly #store: Store
  readonly #pages: RepoPages
  /** Exports under way, for each account that has any. */
  readonly #running = new Map<number, number>()

  constructor(store: Store, pages: RepoPages) {
    this.#store = store
    this.#pages = pages
  }

  /** Whether blocks of the account's repository must be kept when they are replaced. */
  isRunning(account: number): boolean {
    return this.#running.has(account)
  }

  /**
   * The repository, as it is when the first chunk is asked for, as a CAR file: the commit first, then nodes, then records.
   * @param since leave out what is as old as this revision or older
   * @throws RepoNotFoundError
   */
  async *car({ id: account, did }: RepoOwner, since = ''): AsyncGenerator<Buffer> {
    this.#running.set(account, (this.#running.get(account) ?? 0) + 1)
    try {
      const head = this.#store.repos.head(account)
      if (head === undefined) throw new RepoNotFoundError(did)
      await this.#store.db.durable()
      const options = { account, since, rev: head.rev, bytesMax: PAGE_BYTES_MAX }
      yield Buffer.concat([
        carHeader(head.commit),
        ...(head.rev > since ? [carBlock(head.commit, head.commitBlock)] : []),
      ])
      for (let after = ''; ; ) {
        const page = this.#pages.nodes(options, after)
        const last = page.at(-1)
        if (last === undefined) break
        yield chunk(page)
        after = last.cid
      }
      for (let after = { collection: '', rkey: '' }; ; ) {
        const page = this.#pages.records(options, after)
        const last = page.at(-1)
        if (last === undefined) break
        yield chunk(page)
        after = last
      }
      for (let after = 0; ; ) {
        const page = this.#pages.retired(options, after)
        const last = page.at(-1)
        if (last === undefined) break
        yield chunk(page)
        after = last.id
      }
    } finally {
      await this.#end(account)
    }
  }

  async #end(account: number): Promise<void> {
    const others = (this.#running.get(account) ?? 1) - 1
    if (others > 0) this.#running.set(account, others)
    else {
      this.#running.delete(account)
      await this.#store.db.write((tx) => {
        // Another export may have begun between the end of this one and this transaction.
        if (!this.#running.has(account)) this.#store.repos.dropRetired(tx, account)
      })
    }
  }
}

function chunk(blocks: readonly { cid: Cid; block: Buffer }[]): Buffer {
  return Buffer.concat(blocks.map(({ cid, block }) => carBlock(cid, block)))
}
