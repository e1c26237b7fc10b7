/** What a list's members posted and reposted: both facts are there to be asked for. */
import { expect, test } from 'vitest'
import { compile } from '../../../feedgen/algorithm/compile.ts'
import type { Filter } from '../../../feedgen/algorithm/definition.ts'
import { rank } from '../../../feedgen/engine/evaluate.ts'
import { MemoryFacts } from './memory.ts'

const now = Date.parse('2026-11-20T12:00:00Z')
const [ana, ben, stranger] = [
  'did:web:ana.example',
  'did:web:ben.example',
  'did:web:stranger.example',
] as const
const list = 'at://did:web:ana.example/app.bsky.graph.list/friends'

function world() {
  const w = new MemoryFacts(now)
  w.list(list, [ana, ben])
  const own = w.post(ana, 'a member’s post', { hoursAgo: 3 })
  const foreign = w.post(stranger, 'a stranger’s post', { hoursAgo: 2 })
  const quiet = w.post(ben, 'reposted by nobody', { hoursAgo: 1 })
  const reposts = [w.repost(ben, own), w.repost(ana, foreign)] as const
  const shown = async (where?: Filter) => {
    const source = { kind: 'list', uri: list, windowHours: 24, reposts: true } as const
    const plan = compile({ sources: [source], ...(where && { where }), createdAt: '' })
    const { items } = await rank(plan, { facts: w, now })
    const uris = await w.uris(items.map(({ id }) => id))
    return new Map(items.map(({ id, repost }) => [uris.get(id), repost]))
  }
  return { own, foreign, quiet, reposts, shown }
}

test('a filter for reposts finds a member’s repost of another member’s post', async () => {
  const { own, foreign, reposts, shown } = world()
  expect(await shown({ kind: 'type', any: ['repost'] })).toEqual(
    new Map([
      [foreign, reposts[1]],
      [own, reposts[0]],
    ]),
  )
})

test('a filter for posts finds it as the post that it is', async () => {
  const { own, quiet, shown } = world()
  const members = new Map([
    [own, undefined],
    [quiet, undefined],
  ])
  expect(await shown({ kind: 'type', any: ['post'] })).toEqual(members)
  expect(await shown({ kind: 'not', of: { kind: 'type', any: ['repost'] } })).toEqual(members)
})

test('where nothing is asked, a member’s post stands there as a post', async () => {
  const { own, foreign, quiet, reposts, shown } = world()
  expect(await shown()).toEqual(
    new Map([
      [quiet, undefined],
      [foreign, reposts[1]],
      [own, undefined],
    ]),
  )
})
