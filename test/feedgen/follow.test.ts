/** From an event on a firehose to a page of a feed. */
import { expect, test } from 'vitest'
import { Author } from '../support/author.ts'
import { startDirectory } from '../support/directory.ts'
import { startRelay } from '../support/relay.ts'
import { startFeedgen } from './support.ts'

const publisherDid = 'did:plc:publisher'
const feed = (name: string) => `at://${publisherDid}/app.bsky.feed.generator/${name}`

test('a post is in the feed', async () => {
  await using directory = await startDirectory()
  await using relay = await startRelay()
  await using feedgen = await startFeedgen({ endpoints: [relay.url], plcUrl: directory.url, publisherDid })
  const alice = new Author().register(directory)
  const { uri, event } = alice.post('hello')
  await feedgen.reached(relay.url, relay.emit(event))
  const { status, body } = await feedgen.get('app.bsky.feed.getFeedSkeleton', { feed: feed('latest') })
  expect({ status, body }).toEqual({ status: 200, body: { feed: [{ post: uri }] } })
})
