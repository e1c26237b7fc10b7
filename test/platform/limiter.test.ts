import { expect, test } from 'vitest'
import { isExceeded, Limiter } from '#platform/limiter.ts'

test('a limiter counts points per key and window, and begins a new window after it', () => {
  const limiter = new Limiter({ points: 3, durationMs: 60_000 })
  expect(limiter.count('a', 2, 0)).toEqual({
    limit: 3,
    duration: 60,
    remainingPoints: 1,
    msBeforeNext: 60_000,
    consumedPoints: 2,
    isFirstInDuration: true,
  })
  expect(isExceeded(limiter.count('a', 1, 59_999))).toBe(false)
  expect(isExceeded(limiter.count('a', 1, 59_999))).toBe(true)
  expect(limiter.count('b', 1, 59_999)).toMatchObject({ consumedPoints: 1, msBeforeNext: 60_000 })
  expect(limiter.count('a', 1, 60_000)).toMatchObject({ consumedPoints: 1, isFirstInDuration: true })
})

test('a limiter keeps a bounded number of keys, and no window that has ended', () => {
  const limiter = new Limiter({ points: 1, durationMs: 1_000, keysMax: 100 })
  for (let n = 0; n < 1_000; n++) limiter.count(`${n}`, 1, 0)
  expect(limiter.size).toBe(100)
  expect(isExceeded(limiter.count('999', 1, 0)), 'the latest are those that are kept').toBe(true)
  for (let n = 0; n < 100; n++) limiter.count('one', 1, 1_000 + n * 1_000)
  expect(limiter.size).toBe(1)
})
