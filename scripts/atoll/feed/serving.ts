/** Whether a host serves a feed by the definition that was just published. */
import { setTimeout as sleep } from 'node:timers/promises'
import { XRPCError } from '@atproto/api'
import { CommandError } from '../../command.ts'
import type { Host } from './host.ts'
import { isSame, type RecordValue } from './records.ts'

const waitSecondsMax = 15
const askEveryMs = 200

/** What a host knows of an algorithm. */
export interface AlgorithmView {
  uri: string
  feed: string
  served: boolean
  refusal?: { path: string; reason: string }
  definition: RecordValue
}

/**
 * Waits until a host serves the feed by this definition.
 * @throws CommandError with its reason when it refuses, or when it does neither in time
 */
export async function untilServed(host: Host, feed: string, definition: RecordValue): Promise<void> {
  const deadline = Date.now() + waitSecondsMax * 1000
  for (;;) {
    const view = await look(host, feed)
    if (view && isSame(view.definition, definition)) {
      if (view.served) return
      if (view.refusal) {
        const { path, reason } = view.refusal
        throw new CommandError(`${host.did} refuses ${feed}: ${path === '' ? reason : `${path}: ${reason}`}`)
      }
    }
    if (Date.now() > deadline) {
      throw new CommandError(
        `${host.did} does not serve ${feed} after ${waitSecondsMax} s. It may not follow your PDS, or not serve your feeds.`,
      )
    }
    await sleep(askEveryMs)
  }
}

async function look(host: Host, feed: string): Promise<AlgorithmView | undefined> {
  try {
    return await host.ask('see whether it is served', 'getAlgorithm', { params: { feed } })
  } catch (error) {
    const { cause } = error as Error
    if (cause instanceof XRPCError && cause.error === 'UnknownFeed') return undefined
    throw error
  }
}
