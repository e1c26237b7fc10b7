/**
 * The feeds' records in an account's repository, which make them known to the network: written, brought up to date and removed. The
 * record key of a feed is its name for ever, since people's likes and pins point at it.
 */
import type { Agent } from '@atproto/api'
import { type Algorithm, algorithms } from './algorithms/index.ts'

export interface PublishOptions {
  /** Signed in as the account that publishes. */
  agent: Agent
  /** The DID of the feed generator that serves them. */
  serviceDid: string
  /** All built-in feeds when not given. */
  feeds?: readonly Pick<Algorithm, 'name' | 'displayName' | 'description'>[]
}

/** What happened to a feed's record. `foreign` ones name another service, and are left alone when feeds are unpublished. */
export interface PublishedFeed {
  name: string
  uri: string
  outcome: 'created' | 'updated' | 'unchanged' | 'removed' | 'absent' | 'foreign'
}

const collection = 'app.bsky.feed.generator'

/** Writes the feeds' records. What a record has besides (an avatar, labels) stays, and so does its date. */
export async function publishFeeds({
  agent,
  serviceDid,
  feeds = algorithms,
}: PublishOptions): Promise<PublishedFeed[]> {
  const repo = agent.assertDid
  const published: PublishedFeed[] = []
  for (const { name, displayName, description } of feeds) {
    const existing = await findRecord(agent, repo, name)
    const wanted = { did: serviceDid, displayName, description }
    const uri = `at://${repo}/${collection}/${name}`
    if (existing && Object.entries(wanted).every(([field, value]) => existing.value[field] === value)) {
      published.push({ name, uri, outcome: 'unchanged' })
      continue
    }
    const record = { createdAt: new Date().toISOString(), ...existing?.value, ...wanted, $type: collection }
    await agent.com.atproto.repo.putRecord({
      repo,
      collection,
      rkey: name,
      record,
      swapRecord: existing?.cid ?? null,
    })
    published.push({ name, uri, outcome: existing ? 'updated' : 'created' })
  }
  return published
}

/** Removes the feeds' records, as far as they name this service. */
export async function unpublishFeeds({
  agent,
  serviceDid,
  feeds = algorithms,
}: PublishOptions): Promise<PublishedFeed[]> {
  const repo = agent.assertDid
  const unpublished: PublishedFeed[] = []
  for (const { name } of feeds) {
    const existing = await findRecord(agent, repo, name)
    const uri = `at://${repo}/${collection}/${name}`
    const outcome = !existing ? 'absent' : existing.value.did === serviceDid ? 'removed' : 'foreign'
    if (outcome === 'removed') {
      await agent.com.atproto.repo.deleteRecord({ repo, collection, rkey: name, swapRecord: existing?.cid })
    }
    unpublished.push({ name, uri, outcome })
  }
  return unpublished
}

async function findRecord(
  agent: Agent,
  repo: string,
  rkey: string,
): Promise<{ cid?: string; value: Record<string, unknown> } | undefined> {
  try {
    const { data } = await agent.com.atproto.repo.getRecord({ repo, collection, rkey })
    return { cid: data.cid, value: data.value }
  } catch (error) {
    if ((error as { error?: unknown }).error === 'RecordNotFound') return undefined
    throw error
  }
}
