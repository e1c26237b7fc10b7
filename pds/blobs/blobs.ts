/**
 * Blobs: received, told apart, handed out once a record refers to them, and cleared away when none
 * does. Where their bytes lie is left to `files.ts`.
 *
 * The database says which blobs there are. Bytes without a row, because an upload was cut off or a
 * row was deleted, are always named in the table of loose blobs, so that they are found and removed
 * whatever ends the process.
 */

import type { Readable } from 'node:stream'
import { fileTypeFromBuffer } from 'file-type'
import { DomainError } from '#platform/errors.ts'
import { Turns } from '#platform/keyed-mutex.ts'
import type { Logger } from '#platform/log.ts'
import { Slots } from '#platform/semaphore.ts'
import type { Tx } from '#platform/sqlite.ts'
import { type Cid, formatCid } from '#protocol/cid.ts'
import { decodeRecord } from '#protocol/record.ts'
import type { ReferencedBlob } from '../store/blobs.ts'
import type { Store } from '../store/store.ts'
import type { BlobFiles, ByteRange } from './files.ts'
import { saysNothing, typeInRecord } from './references.ts'
import { BlobSweep, keyOf } from './sweep.ts'
import type { Uploads } from './uploads.ts'

/** A blob that may be referred to by a record. */
export interface UploadedBlob {
  readonly cid: Cid
  readonly mimeType: string
  /** Bytes. */
  readonly size: number
}

/** A blob that a record refers to. */
export interface FoundBlob {
  readonly mimeType: string
  /** Bytes. */
  readonly size: number
  /**
   * Its bytes, or a run of them; undefined when the store has lost them, which is noted and logged.
   */
  open(range?: ByteRange): Promise<Readable | undefined>
}

const blobIsForm = (): DomainError =>
  new DomainError(
    'invalid',
    'A blob is not sent as a form: send the bytes of the file alone, with its type as Content-Type',
  )

const FORM = /^multipart\//i
/** The type of bytes that nobody says anything of. */
const ANY_BYTES = 'application/octet-stream'
/** Records that are asked for a blob's type when neither its bytes nor its upload say one. */
const TYPE_RECORDS_MAX = 4
/**
 * Blobs that are looked for in the blob store for one page of missing ones, and for all callers at
 * the same time.
 */
const LOOKS_MAX = 2_000
const LOOKS_AT_ONCE_MAX = 16

interface Deps {
  readonly store: Store
  readonly files: BlobFiles
  readonly uploads: Uploads
  readonly log: Logger
}

export class Blobs implements AsyncDisposable {
  readonly #deps: Deps
  readonly #bytesMax: number
  /** A blob's bytes are put or removed by one at a time. */
  readonly #turns = new Turns<string>()
  readonly #looks = new Slots(LOOKS_AT_ONCE_MAX)
  readonly #sweep: BlobSweep

  constructor(deps: Deps, { bytesMax }: { bytesMax: number }) {
    this.#deps = deps
    this.#bytesMax = bytesMax
    this.#sweep = new BlobSweep({ ...deps, turns: this.#turns })
  }

  /**
   * Receives a blob; it is temporary until a record refers to it.
   * @param claimedType what the caller says it is; what the bytes say counts for more, and where
   * they say nothing, what a record says that refers to the blob already
   * @throws BlobTooLargeError, DomainError
   */
  async upload(
    owner: { id: number; did: string },
    stream: AsyncIterable<Uint8Array>,
    claimedType: string,
  ): Promise<UploadedBlob> {
    // The bytes would be those of the form, and the record that refers to them would be refused, or
    // show nothing. But records that moved in may refer to a form that another host took.
    const isForm = FORM.test(claimedType)
    if (isForm && !this.#isIncomplete(owner.id)) throw blobIsForm()
    const file = await this.#deps.uploads.receive(stream, this.#bytesMax)
    const { cid, size } = file
    try {
      if (isForm && !this.#deps.store.blobs.isReferenced(owner.id, cid)) throw blobIsForm()
      const ownType = (await fileTypeFromBuffer(file.head))?.mime
      const mimeType = await this.#turns.run(keyOf(owner.did, cid), async () => {
        const { db, blobs } = this.#deps.store
        await db.write((tx) => {
          if (blobs.get(owner.id, cid)?.takedownRef) {
            throw new DomainError('invalid', 'Blob has been takendown, cannot re-upload')
          }
          blobs.loosen(tx, owner.did, cid)
        })
        await this.#deps.files.keep(owner.did, file)
        return await db.write((tx) => {
          if (this.#deps.store.accounts.byId(owner.id) === undefined) {
            throw new DomainError('notFound', 'Account not found')
          }
          const mimeType = this.#typeOf(owner.id, cid, ownType, claimedType)
          blobs.put(tx, owner.id, cid, { mimeType, size })
          blobs.bind(tx, owner.did, cid)
          return mimeType
        })
      })
      return { cid, size, mimeType }
    } finally {
      await this.#deps.uploads.discard(file)
    }
  }

  /** A blob that a present record refers to; undefined when there is none, or it was taken down. */
  find({ id, did }: { id: number; did: string }, cid: Cid): FoundBlob | undefined {
    const blob = this.#deps.store.blobs.get(id, cid)
    if (blob === undefined || blob.takedownRef !== null || !this.#deps.store.blobs.isReferenced(id, cid))
      return undefined
    const { size } = blob
    // Stored when an upload's word was the only one that counted.
    const mimeType = saysNothing(blob.mimeType) ? (this.#typeInRecords(id, cid) ?? ANY_BYTES) : blob.mimeType
    const open = async (range?: ByteRange): Promise<Readable | undefined> => {
      if (blob.lostAt !== null && !(await this.#isKept({ id, did }, cid))) return undefined
      const bytes = await this.#deps.files.read(did, cid, range)
      if (bytes === undefined) await this.#isKept({ id, did }, cid)
      return bytes
    }
    return { mimeType, size, open }
  }

  /**
   * The size in bytes of a blob that records may refer to; undefined when there is none, or it was
   * taken down.
   */
  sizeOf({ id }: { id: number }, cid: Cid): number | undefined {
    const blob = this.#deps.store.blobs.get(id, cid)
    return blob === undefined || blob.takedownRef !== null ? undefined : blob.size
  }

  /**
   * The blobs that records refer to and that are not here, in the order of their CIDs: those after
   * `cursor`, each with the URI of a record. Those that should be here are looked for in the blob
   * store. Further ones come after the new cursor, also where a page has few or none.
   */
  async missing(
    owner: { id: number; did: string },
    options: { cursor?: Cid; limit: number },
  ): Promise<{ blobs: { cid: Cid; recordUri: string }[]; cursor: Cid | undefined }> {
    const blobs: { cid: Cid; recordUri: string }[] = []
    const looks: Looks = { failed: false }
    let left = LOOKS_MAX
    for (let cursor = options.cursor; ; ) {
      const limit = Math.min(LOOKS_AT_ONCE_MAX, options.limit - blobs.length, left)
      if (limit === 0) return { blobs, cursor }
      const page = this.#deps.store.blobs.referenced(owner.id, cursor ?? '', limit)
      const isMissing = await Promise.all(page.map((blob) => this.#isMissing(owner, blob, looks)))
      for (const [n, { cid, collection, rkey }] of page.entries()) {
        if (isMissing[n]) blobs.push({ cid, recordUri: `at://${owner.did}/${collection}/${rkey}` })
      }
      if (page.length < limit) return { blobs, cursor: undefined }
      cursor = page.at(-1)?.cid
      left -= limit
    }
  }

  /**
   * The blobs that records refer to, in the order of their CIDs: those after `cursor`, from
   * revisions after `since`.
   */
  list(owner: { id: number }, options: { since?: string; cursor?: Cid; limit: number }): Cid[] {
    return this.#deps.store.blobs.list(owner.id, options.since ?? '', options.cursor ?? '', options.limit)
  }

  /**
   * Deletes up to `limit` of an account's blobs, referenced or not; their bytes go after the
   * transaction. For the deletion of accounts.
   * @returns whether that was the last of them
   */
  deleteSome(tx: Tx, owner: { id: number; did: string }, limit: number): boolean {
    const cids = this.#deps.store.blobs.some(owner.id, limit)
    for (const cid of cids) {
      this.#deps.store.blobs.delete(tx, owner.id, cid)
      this.#deps.store.blobs.loosen(tx, owner.did, cid)
    }
    if (cids.length > 0) tx.afterCommit(() => void this.sweep())
    return cids.length < limit
  }

  /** Whether records refer to blobs that are not here. */
  #isIncomplete(account: number): boolean {
    const { received, referenced } = this.#deps.store.blobs.counts(account)
    return received < referenced
  }

  async #isMissing(
    owner: { id: number; did: string },
    { cid, size, takedownRef, lostAt }: ReferencedBlob,
    looks: Looks,
  ): Promise<boolean> {
    if (size === null) return true
    // It would not be received again.
    if (takedownRef !== null) return false
    // Where the blob store cannot be asked, what is known of it counts.
    if (looks.failed) return lostAt !== null
    try {
      return !(await this.#isKept(owner, cid))
    } catch (error) {
      if (!looks.failed)
        this.#deps.log.error(
          { err: error, did: owner.did, todo: 'see whether the blob folder or bucket can be read' },
          'the blob store cannot be asked',
        )
      looks.failed = true
      return lostAt !== null
    }
  }

  /** Whether the blob store has a blob, whole; what has changed is noted. */
  async #isKept({ id, did }: { id: number; did: string }, cid: Cid): Promise<boolean> {
    // In its turn: an upload puts the bytes there before it notes them.
    return await this.#turns.run(keyOf(did, cid), async () => {
      const { db, blobs } = this.#deps.store
      const size = await this.#looks.run(() => this.#deps.files.size(did, cid))
      const blob = blobs.get(id, cid)
      if (blob === undefined) return false
      const isKept = size === blob.size
      if (isKept === (blob.lostAt === null)) return isKept
      await db.write((tx) => blobs.setLost(tx, id, cid, isKept ? null : tx.now))
      if (isKept) this.#deps.log.info({ did, cid: formatCid(cid) }, 'the bytes of a lost blob are back')
      else {
        const found = { did, cid: formatCid(cid), expectedBytes: blob.size, foundBytes: size ?? 0 }
        this.#deps.log.error(
          { ...found, todo: 'restore the file from a backup, or have its owner upload it again' },
          'the bytes of a blob are gone',
        )
      }
      return isKept
    })
  }

  /** The type that a blob gets which is uploaded now, perhaps again. */
  #typeOf(account: number, cid: Cid, ownType: string | undefined, claimedType: string): string {
    const stored = this.#deps.store.blobs.get(account, cid)?.mimeType
    // Records and those who read them go by the type that it has.
    if (stored !== undefined && !saysNothing(stored)) return stored
    const better = ownType ?? this.#typeInRecords(account, cid)
    if (better !== undefined) return better
    const isFree = stored === undefined || !this.#deps.store.blobs.isReferenced(account, cid)
    return stored !== undefined && (!isFree || saysNothing(claimedType)) ? stored : claimedType
  }

  /** The type that records give a blob; undefined when none of them says one. */
  #typeInRecords(account: number, cid: Cid): string | undefined {
    for (const block of this.#deps.store.blobs.referrers(account, cid, TYPE_RECORDS_MAX)) {
      const type = typeInRecord(decodeRecord(block), cid)
      if (type !== undefined) return type
    }
    return undefined
  }

  /** Sweeps now, and from now on at intervals. */
  start(): void {
    void this.sweep()
  }

  /**
   * Clears away the blobs that no record refers to, as `BlobSweep` does.
   * @param now the time, milliseconds since 1970
   */
  sweep(now?: number): Promise<void> {
    return this.#sweep.run(now)
  }

  /** Ends sweeping after the step that is under way. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#sweep[Symbol.asyncDispose]()
    this.#deps.files[Symbol.dispose]?.()
  }
}

/** Whether looking for blobs has failed. */
interface Looks {
  failed: boolean
}
