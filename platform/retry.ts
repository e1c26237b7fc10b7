/**
 * Waiting and trying again: what is wrong with our own side, or with the directory, must pass
 * before a line goes on.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from './log.ts'

const retryDelayMs = 500
const retryDelayMsMax = 30_000

/** How long to wait after so many failures in a row, in milliseconds. */
export function retryDelay(tries: number): number {
  return Math.min(retryDelayMs * 2 ** (tries - 1), retryDelayMsMax)
}

/** Waits, but not longer than until the signal. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => undefined)
}

/**
 * Does the work again and again until it succeeds; undefined once the signal came. Each failure is
 * logged with `message`.
 */
export async function insist<T>(
  work: () => Promise<T>,
  { signal, log, message, about }: { signal: AbortSignal; log: Logger; message: string; about: object },
): Promise<T | undefined> {
  for (let tries = 1; !signal.aborted; tries++) {
    try {
      return await work()
    } catch (error) {
      log.error(
        {
          err: error,
          ...about,
          tries,
          todo: 'see whether the database answers and the disk has room; it is tried again',
        },
        message,
      )
      await pause(retryDelay(tries), signal)
    }
  }
  return undefined
}
