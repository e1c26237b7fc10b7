/** Publishes built-in feeds: their records name a host, whose software has the algorithms. */
import type { AtpAgent } from '@atproto/api'
import { builtInFeeds } from '../../../feedgen/feeds/built-in.ts'
import { type Change, changeFeed, hostOf } from './records.ts'

export const builtInNames: readonly string[] = builtInFeeds.map(({ rkey }) => rkey)

/** Writes the records of built-in feeds, by default all. Keeps their avatars, labels and dates. */
export async function publishBuiltIn(agent: AtpAgent, host: string, names = builtInNames): Promise<Change[]> {
  const changes: Change[] = []
  for (const { rkey, displayName, description } of chosen(names)) {
    const change = await changeFeed(agent, rkey, ({ generator, algorithm }) => ({
      generator: {
        createdAt: new Date().toISOString(),
        ...generator?.value,
        did: host,
        displayName,
        description,
      },
      algorithm: algorithm?.value,
    }))
    changes.push(change)
  }
  return changes
}

/** Removes the records of built-in feeds that name the host. */
export async function unpublishBuiltIn(
  agent: AtpAgent,
  host: string,
  names = builtInNames,
): Promise<Change[]> {
  const changes: Change[] = []
  for (const { rkey } of chosen(names)) {
    const change = await changeFeed(agent, rkey, ({ generator, algorithm }) =>
      hostOf(generator) === host ? {} : { generator: generator?.value, algorithm: algorithm?.value },
    )
    changes.push(change)
  }
  return changes
}

function chosen(names: readonly string[]) {
  return builtInFeeds.filter(({ rkey }) => names.includes(rkey))
}
