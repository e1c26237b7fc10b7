/** A store in a folder of its own with the write path over it, and no server around it. */
import path from 'node:path'
import { onTestFinished } from 'vitest'
import { logger } from '#platform/log.ts'
import type { Cid } from '#protocol/cid.ts'
import { type CommitEvent, decodeFrame } from '#protocol/frame.ts'
import type { SigningKey } from '#protocol/keys.ts'
import { Firehose } from '../../../pds/firehose/firehose.ts'
import { DiskSpace } from '../../../pds/limits/disk-space.ts'
import type { Write } from '../../../pds/repo/change.ts'
import type { RepoOwner } from '../../../pds/repo/errors.ts'
import { Exports } from '../../../pds/repo/export.ts'
import { loadKeySecret } from '../../../pds/repo/keys/secret-file.ts'
import { SigningKeys } from '../../../pds/repo/keys/signing-keys.ts'
import { NodeCache } from '../../../pds/repo/node-cache.ts'
import { prepareRecord } from '../../../pds/repo/prepare.ts'
import { RepoReader } from '../../../pds/repo/read.ts'
import { RepoWriter } from '../../../pds/repo/write.ts'
import { RepoPages } from '../../../pds/store/repo-pages.ts'
import { Store } from '../../../pds/store/store.ts'
import { temporaryFolder } from '../../support/processes.ts'

export const COLLECTION = 'com.example.thing'

/** What pds/wiring/ would build, as far as repositories go. */
export interface Repos {
  readonly file: string
  readonly store: Store
  readonly firehose: Firehose
  readonly keys: SigningKeys
  readonly exports: Exports
  readonly disk: DiskSpace
  readonly writer: RepoWriter
  readonly reader: RepoReader
  /** Makes an account with an empty repository. */
  createRepo(name?: string): Promise<RepoOwner & { key: SigningKey }>
  /** The commit events of a repository, in order. */
  commits(did: string): CommitEvent[]
  close(): void
}

/** A folder for the test, gone after it. */
export function testFolder(): string {
  const folder = temporaryFolder()
  onTestFinished(() => folder[Symbol.dispose]())
  return folder.path
}

/** Opens the store of a folder; it is closed after the test. */
export function openRepos(folder = testFolder()): Repos {
  const file = path.join(folder, 'atoll.sqlite')
  const store = new Store({
    path: file,
    onFatal: (error) => {
      throw error
    },
  })
  onTestFinished(() => store[Symbol.dispose]())
  const firehose = new Firehose(store.events)
  const keys = new SigningKeys(store.credentials, loadKeySecret(path.join(folder, 'keys.secret')))
  const nodes = new NodeCache(store.repos)
  const exports = new Exports(store, new RepoPages(store.db))
  const writer = new RepoWriter({ store, firehose, keys, nodes, exports })
  return {
    file,
    store,
    firehose,
    keys,
    exports,
    disk: anyDisk(),
    writer,
    reader: new RepoReader(store, nodes),
    createRepo: async (name = 'alice') => {
      const did = `did:plc:${name.padEnd(24, '2')}`
      const { key, encrypted } = keys.generate()
      const handle = `${name}.test`
      const id = await store.db.write((tx) => {
        const row = { did, handle, email: null, password: null, signingKey: encrypted, deactivatedAt: null }
        const id = store.accounts.insert(tx, row)
        writer.create(tx, { id, did }, handle, key)
        return id
      })
      return { id, did, key }
    },
    commits: (did) =>
      store.events
        .page(0, Number.MAX_SAFE_INTEGER, 100_000, 1 << 30)
        .map(({ frame }) => decodeFrame(frame))
        .filter((event): event is CommitEvent => event.kind === 'commit' && event.repo === did),
    close: () => store[Symbol.dispose](),
  }
}

/** A disk on which nothing must stay free. */
export function anyDisk(): DiskSpace {
  return new DiskSpace({ freeBytesMin: 0, log: logger('disk') })
}

/** A record of no known kind. */
export function thing(rkey: string, text: string, more: object = {}) {
  return prepareRecord({ collection: COLLECTION, rkey, record: { text, ...more } })
}

export const create = (rkey: string, text = rkey): Write => ({ action: 'create', record: thing(rkey, text) })
export const update = (rkey: string, text: string): Write => ({ action: 'update', record: thing(rkey, text) })
export const put = (rkey: string, text: string, swapRecord?: Cid | null): Write => ({
  action: 'put',
  record: thing(rkey, text),
  swapRecord,
})
export const remove = (rkey: string): Write => ({ action: 'delete', path: { collection: COLLECTION, rkey } })
