/**
 * Repositories as CAR files: `getRepo`.
 *
 * An export shows the repository as of its start, however long its client takes and whatever is
 * written meanwhile, and holds no transaction: it reads pages, and blocks that leave the repository
 * while it runs are retained for it (`retired_block`).
 */
import { Wakeup } from '#platform/wakeup.ts'
import { carBlock, carBlocks, carHeader } from '#protocol/car.ts'
import type { RepoPages } from '../store/repo-pages.ts'
import type { Store } from '../store/store.ts'
import { type RepoOwner, repoNotFound } from './errors.ts'

/** A page of an export in bytes of blocks; about what is handed to the socket at once. */
const PAGE_BYTES_MAX = 512 * 1024

/** The account was deleted or taken down while its repository was handed out. */
export class ExportStoppedError extends Error {
  override name = 'ExportStoppedError'
}

export class Exports {
  readonly #store: Store
  readonly #pages: RepoPages
  /** Exports under way, for each repository that has any, by its id. */
  readonly #running = new Map<number, Set<AbortController>>()
  readonly #ended = new Wakeup()

  constructor(store: Store, pages: RepoPages) {
    this.#store = store
    this.#pages = pages
  }

  /** Whether blocks of the repository with this id must be kept when they are replaced. */
  isRunning(repo: number): boolean {
    return this.#running.has(repo)
  }

  /** Resolves when no export of this repository is running any more; undefined when none is. */
  untilUnread(repo: number): Promise<void> | undefined {
    if (!this.#running.has(repo)) return undefined
    return this.#ended.next().then(() => this.untilUnread(repo))
  }

  /** Aborts the exports of a repository that is no longer available. */
  stop(repo: number): void {
    for (const run of this.#running.get(repo) ?? []) run.abort(new ExportStoppedError())
  }

  /**
   * The repository as a CAR file, as of when the first chunk is read: the commit, nodes, records.
   * @param since omit blocks of this revision and older ones
   * @throws DomainError; ExportStoppedError when the repository is no longer available
   */
  async *car({ id: account, did }: RepoOwner, since = ''): AsyncGenerator<Buffer> {
    const head = this.#store.repos.head(account)
    if (head === undefined) throw repoNotFound(did)
    const { id: repo } = head
    const run = new AbortController()
    this.#running.set(repo, (this.#running.get(repo) ?? new Set()).add(run))
    try {
      await this.#store.db.durable()
      const options = { repo, since, rev: head.rev, bytesMax: PAGE_BYTES_MAX }
      yield Buffer.concat([
        carHeader(head.commit),
        ...(head.rev > since ? [carBlock(head.commit, head.commitBlock)] : []),
      ])
      for (let page = this.#pages.nodes(options); page; page = this.#pages.nodes(options, page.last)) {
        run.signal.throwIfAborted()
        yield carBlocks(page.bytes, page.lengths)
      }
      for (let page = this.#pages.records(options); page; page = this.#pages.records(options, page.last)) {
        run.signal.throwIfAborted()
        yield carBlocks(page.bytes, page.lengths)
      }
      for (let after = 0; ; ) {
        const page = this.#pages.retired(options, after)
        run.signal.throwIfAborted()
        const last = page.at(-1)
        if (last === undefined) break
        yield Buffer.concat(page.map(({ cid, block }) => carBlock(cid, block)))
        after = last.id
      }
    } finally {
      await this.#end(repo, run)
    }
  }

  async #end(repo: number, run: AbortController): Promise<void> {
    const running = this.#running.get(repo)
    running?.delete(run)
    if (running?.size === 0) {
      this.#running.delete(repo)
      this.#ended.wake()
      await this.#store.db.write((tx) => {
        // Another export may have begun between the end of this one and this transaction.
        if (!this.#running.has(repo)) this.#store.repos.dropRetired(tx, repo)
      })
    }
  }
}
