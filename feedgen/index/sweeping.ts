/**
 * Goes through all rows of accounts that were deleted or have jumped, in steps between which events
 * are written. Nothing of such an account is shown meanwhile.
 */
import { type Logger, logger } from '#platform/log.ts'
import { pause } from '#platform/retry.ts'
import type { IndexWriter } from './writer.ts'

/** Between two steps, so that events have their turn. */
const STEP_PAUSE_MS = 5
/** Between two looks whether there is anything to do. */
const REST_MS = 1000

/** Sweeps for ever. */
export function keepSweeping(writer: Pick<IndexWriter, 'sweep'>): AsyncDisposable {
  const stopping = new AbortController()
  const { signal } = stopping
  const log: Logger = logger('index')
  const sweep = () =>
    writer.sweep().catch((error) => {
      log.error(
        { err: error, todo: 'see whether the database answers and the disk has room; it is tried again' },
        'what a deleted or desynchronized account posted cannot be gone through',
      )
      return false
    })
  const ended = (async () => {
    while (!signal.aborted) await pause((await sweep()) ? STEP_PAUSE_MS : REST_MS, signal)
  })()
  return {
    async [Symbol.asyncDispose]() {
      stopping.abort()
      await ended
    },
  }
}
