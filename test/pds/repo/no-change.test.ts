/**
 * Writes that have nothing to do are answered as the reference answers them, wherever the caller
 * thinks that the repository stands.
 */
import { expect, test } from 'vitest'
import { post, rejection } from '../../support/pds.ts'
import { withPds } from '../../support/with-pds.ts'

const POSTS = 'app.bsky.feed.post'
/** The CID of nothing that is here. */
const ELSEWHERE = 'bafyreie5cvv4h45feadgeuwhbcutmh6t2ceseocckahdoe6uat64zmz454'

const shared = withPds('still')

test('a call without writes makes a commit', async () => {
  const { agent, did } = shared.user
  const { data } = await agent.com.atproto.repo.applyWrites({ repo: did, writes: [] })
  const latest = await agent.com.atproto.sync.getLatestCommit({ did })
  expect(data.commit).toEqual(latest.data)
})

test('a delete of what is not there, and a put of what is there, ask for no particular commit', async () => {
  const { agent, did } = shared.user
  const path = { repo: did, collection: POSTS, rkey: '3jzfcijpj2z2a' }
  const record = post('as it is')
  expect((await agent.com.atproto.repo.deleteRecord({ ...path, swapCommit: ELSEWHERE })).data).toEqual({})
  await agent.com.atproto.repo.putRecord({ ...path, record })
  const before = await agent.com.atproto.sync.getLatestCommit({ did })
  const { data } = await agent.com.atproto.repo.putRecord({ ...path, record, swapCommit: ELSEWHERE })
  expect(data.commit).toBeUndefined()
  expect((await agent.com.atproto.sync.getLatestCommit({ did })).data).toEqual(before.data)
})

test('a write that has something to do asks for its commit', async () => {
  const { agent, did } = shared.user
  const path = { repo: did, collection: POSTS, rkey: '3jzfcijpj2z2b' }
  const put = agent.com.atproto.repo.putRecord({ ...path, record: post('new'), swapCommit: ELSEWHERE })
  expect(await rejection(put)).toMatchObject({ status: 400, error: 'InvalidSwap' })
})
