/**
 * Room on the disk: what strangers send is written only while a floor of free space stays.
 *
 * A full disk stops everything, so uploads and imports stop before that, and posts, sign-ins and
 * the firehose go on.
 */

import { statfs } from 'node:fs/promises'
import { DomainError } from '#platform/errors.ts'
import type { Logger } from '#platform/log.ts'
import { MINUTE_MS } from '#platform/time.ts'

/** Bytes of a file system that are free. */
export type FreeBytes = (folder: string) => Promise<number>

/** What may be written before free space is read again, by all writers together. */
const CLAIM_BYTES_MAX = 16 * 1024 * 1024
/** Others write to the same disk, so what was read holds only this long. */
const CLAIM_MS_MAX = 1_000
const WARNING_MS = MINUTE_MS

export class DiskSpace {
  readonly #freeBytesMin: number
  readonly #freeBytes: FreeBytes
  readonly #log: Logger
  /** By folder; the callers' folders are few. */
  readonly #allowances = new Map<string, { bytes: number; readonly until: number }>()
  #warnedAt: number | undefined

  constructor(
    { freeBytesMin, log }: { freeBytesMin: number; log: Logger },
    freeBytes: FreeBytes = readFreeBytes,
  ) {
    this.#freeBytesMin = freeBytesMin
    this.#log = log
    this.#freeBytes = freeBytes
  }

  /**
   * Claims room for bytes that are about to be written to a folder.
   * @returns what to wait for, unless the room is known to be there
   * @throws DomainError by way of the promise
   */
  claim(folder: string, bytes: number): Promise<void> | undefined {
    const allowance = this.#allowances.get(folder)
    if (allowance === undefined || allowance.bytes < bytes || performance.now() > allowance.until)
      return this.#look(folder, bytes)
    allowance.bytes -= bytes
    return undefined
  }

  async #look(folder: string, bytes: number): Promise<void> {
    const room = (await this.#freeBytes(folder)) - this.#freeBytesMin
    if (room < bytes) {
      this.#warn(folder)
      throw new DomainError(
        'outOfSpace',
        'This server is low on disk space. Try again later.',
        'InsufficientStorage',
        { isLogged: true },
      )
    }
    const until = performance.now() + CLAIM_MS_MAX
    this.#allowances.set(folder, { bytes: Math.min(room, CLAIM_BYTES_MAX) - bytes, until })
  }

  #warn(folder: string): void {
    const now = performance.now()
    if (this.#warnedAt !== undefined && now - this.#warnedAt < WARNING_MS) return
    this.#warnedAt = now
    this.#log.error(
      {
        folder,
        freeBytesMin: this.#freeBytesMin,
        todo: 'free some space or grow the disk; PDS_DISK_FREE_MIN_BYTES is what stays free',
      },
      'the disk is almost full; uploads and imports are refused',
    )
  }
}

/** Where less is free, not even a post can be stored. */
const ROOM_BYTES_MIN = 8 * 1024 * 1024

/** Whether a little can be written to a folder's disk; true where the system does not say. */
export async function hasRoom(folder: string, freeBytes: FreeBytes = readFreeBytes): Promise<boolean> {
  const free = await freeBytes(folder).catch(() => undefined)
  return free === undefined || free >= ROOM_BYTES_MIN
}

async function readFreeBytes(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder)
  return bavail * bsize
}
