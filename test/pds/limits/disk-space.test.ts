import { expect, it } from 'vitest'
import { logger } from '#platform/log.ts'
import { DiskSpace, hasRoom } from '../../../pds/limits/disk-space.ts'

it('grants room down to its floor, and reads what is free when what it granted is used up', async () => {
  let free = 1000
  let reads = 0
  const disk = new DiskSpace({ freeBytesMin: 100, log: logger('disk') }, async () => {
    reads++
    return free
  })
  await disk.claim('/data', 500)
  await disk.claim('/data', 400)
  expect(reads).toBe(1)
  free = 100
  await expect(disk.claim('/data', 1)).rejects.toMatchObject({ kind: 'outOfSpace' })
  // The next one looks again.
  free = 101
  await disk.claim('/data', 1)
  expect(reads).toBe(3)
})

it('reads the real disk', async () => {
  const of = (freeBytesMin: number) => new DiskSpace({ freeBytesMin, log: logger('disk') })
  await of(0).claim(import.meta.dirname, 1)
  await expect(of(Number.MAX_SAFE_INTEGER).claim(import.meta.dirname, 1)).rejects.toMatchObject({
    kind: 'outOfSpace',
  })
})

it('has room as long as a post can be stored, or nobody can say', async () => {
  const free = (bytes: number) => hasRoom('/', async () => bytes)
  expect([await free(0), await free(1024 ** 2), await free(1024 ** 3)]).toEqual([false, false, true])
  expect(await hasRoom('/', () => Promise.reject(new Error('ENOSYS')))).toBe(true)
})
