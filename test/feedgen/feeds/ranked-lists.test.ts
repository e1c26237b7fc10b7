import { expect, test } from 'vitest'
import { Lists } from '../../../feedgen/feeds/ranked-lists.ts'

function world({ itemsMax = 100, waitMsMax = 0 } = {}) {
  let now = 1000
  const lists = new Lists<number>({ freshMs: 10, staleMsMax: 100, itemsMax, waitMsMax, now: () => now })
  const pass = (ms: number) => {
    now += ms
  }
  return { lists, pass }
}

test('a list is served while it is fresh, and while a newer one is made behind it', async () => {
  const { lists, pass } = world()
  const { promise, resolve } = Promise.withResolvers<number[]>()
  const first = await lists.newest('a', async () => [1])
  expect(await lists.newest('a', async () => [2])).toBe(first)
  pass(10)
  expect(await lists.newest('a', () => promise)).toBe(first)
  // Once is enough, however many look.
  expect(await lists.newest('a', async () => [3])).toBe(first)
  resolve([2])
  await expect.poll(async () => (await lists.newest('a', async () => [4])).items).toEqual([2])
  expect(lists.find('a', first.id)).toBe(first)
})

test('who alone looks at a list waits for the next one, and not for long', async () => {
  const { lists, pass } = world({ waitMsMax: 20 })
  const own = { isOwn: true }
  const first = await lists.newest('a', async () => [1], own)
  expect(await lists.newest('a', async () => [2], own)).toBe(first)
  pass(10)
  expect((await lists.newest('a', async () => [3], own)).items).toEqual([3])
  pass(10)
  const { promise, resolve } = Promise.withResolvers<number[]>()
  expect((await lists.newest('a', () => promise, own)).items).toEqual([3])
  resolve([4])
  await expect.poll(async () => (await lists.newest('a', async () => [5], own)).items).toEqual([4])
  pass(10)
  const failing = () => Promise.reject(new Error('down'))
  expect((await lists.newest('a', failing, own)).items).toEqual([4])
})

test('whoever looks after a long time waits for a new one', async () => {
  const { lists, pass } = world()
  await lists.newest('a', async () => [1])
  pass(100)
  expect((await lists.newest('a', async () => [2])).items).toEqual([2])
})

test('what goes wrong in making one is told to those who wait for it, and tried again', async () => {
  const { lists, pass } = world()
  await expect(lists.newest('a', () => Promise.reject(new Error('down')))).rejects.toThrow('down')
  const first = await lists.newest('a', async () => [1])
  pass(10)
  expect(await lists.newest('a', () => Promise.reject(new Error('down')))).toBe(first)
  await new Promise(setImmediate)
  pass(100)
  expect((await lists.newest('a', async () => [2])).items).toEqual([2])
})

test('the lists that nobody looked at for longest go when there are too many items', async () => {
  const { lists } = world({ itemsMax: 10 })
  const three = async () => [1, 2, 3]
  const a = await lists.newest('a', three)
  const b = await lists.newest('b', three)
  lists.find('a', a.id)
  const c = await lists.newest('c', three)
  expect(lists.items).toBeLessThanOrEqual(10)
  expect(lists.find('b', b.id)).toBeUndefined()
  expect([lists.find('a', a.id), lists.find('c', c.id)]).toEqual([a, c])
  expect((await lists.newest('b', async () => [9])).items).toEqual([9])
})
