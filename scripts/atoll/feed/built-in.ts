/** The feeds that every feed generator of this software has by itself: their records name a host and have no definition. */
import type { AtpAgent } from '@atproto/api'
import { algorithms } from '../../../feedgen/feeds/index.ts'
import { type Change, changeFeed, hostOf } from './records.ts'

export const builtInNames: readonly string[] = algorithms.map(({ name }) => name)

/** Writes the records of built-in feeds, all of them when none is named. What a record has besides (an avatar, labels) stays, and so does its date. */
export async function publishBuiltIn(agent: AtpAgent, host: string, names = builtInNames): Promise<Change[]> {
  const changes: Change[] = []
  for (const { name, displayName, description } of chosen(names)) {
    const change = await changeFeed(agent, name, ({ generator, algorithm }) => ({
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

/** Removes the records of built-in feeds, as far as they name the host. */
export async function unpublishBuiltIn(
  agent: AtpAgent,
  host: string,
  names = builtInNames,
): Promise<Change[]> {
  const changes: Change[] = []
  for (const { name } of chosen(names)) {
    const change = await changeFeed(agent, name, ({ generator, algorithm }) =>
      hostOf(generator) === host ? {} : { generator: generator?.value, algorithm: algorithm?.value },
    )
    changes.push(change)
  }
  return changes
}

function chosen(names: readonly string[]) {
  return algorithms.filter(({ name }) => names.includes(name))
}
