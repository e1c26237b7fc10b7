import { TID } from '@atproto/common-web'
import { describe, expect, test } from 'vitest'
import { clockIdCount, isTid, microsOfTid, TidClock, tidFromMicros } from '#protocol/tid.ts'
import { seededRandom } from '../support/random.ts'

test('TIDs agree with @atproto/common-web, and sort by time', () => {
  const random = seededRandom(5)
  const times = Array.from({ length: 500 }, () => random.below(2 ** 52)).sort((a, b) => a - b)
  let before = ''
  for (const micros of times) {
    const clockId = random.below(32)
    const tid = tidFromMicros(micros, clockId)
    const theirs = TID.fromStr(tid)
    expect([theirs.timestamp(), theirs.clockid()]).toEqual([micros, clockId])
    expect(microsOfTid(tid)).toBe(micros)
    expect(tidFromMicros(BigInt(micros), clockId)).toBe(tid)
    expect(isTid(tid)).toBe(true)
    expect(tid > before).toBe(true)
    before = tid
  }
})

test('the smallest and the largest TID, and text that is none', () => {
  expect(tidFromMicros(0, 0)).toBe('2222222222222')
  expect(tidFromMicros(0, clockIdCount - 1)).toBe('22222222222zz')
  expect(microsOfTid(tidFromMicros(Number.MAX_SAFE_INTEGER, 1))).toBe(Number.MAX_SAFE_INTEGER)
  for (const micros of [-1, 0.5, 2 ** 53, Number.NaN])
    expect(() => tidFromMicros(micros, 0)).toThrow(RangeError)
  for (const clockId of [-1, 0.5, clockIdCount]) expect(() => tidFromMicros(0, clockId)).toThrow(RangeError)
  for (const text of ['', '222', '3jzfcijpj2z2A', 'zzzzzzzzzzzzz', '3jzfcijpj2z2a\n']) {
    expect(isTid(text)).toBe(false)
    expect(() => microsOfTid(text)).toThrow(RangeError)
  }
})

describe('TidClock', () => {
  test('rises within a millisecond, and when the clock is set back', () => {
    const times = [1000, 1000, 1000, 999, 1001, 1]
    const clock = new TidClock(7, () => times.shift() ?? 2000)
    const tids = Array.from({ length: 7 }, () => clock.next())
    expect(tids).toEqual([...new Set(tids)].sort())
    expect(tids.map(microsOfTid)).toEqual([
      1000_000, 1000_001, 1000_002, 1000_003, 1001_000, 1001_001, 2000_000,
    ])
  })

  test('gives a TID after the one passed, and goes on by its own time', () => {
    const clock = new TidClock(7, () => 1000)
    const future = tidFromMicros(5_000_000, clockIdCount - 1)
    const next = clock.next(future)
    expect(next > future).toBe(true)
    expect(clock.next(next) > next).toBe(true)
    expect(microsOfTid(clock.next())).toBeLessThan(1_001_000)
    expect(microsOfTid(clock.next(tidFromMicros(1, 1)))).toBeLessThan(1_001_000)
  })

  test('a TID of the same microsecond and a greater clock is also passed', () => {
    const clock = new TidClock(7, () => 1000)
    const same = tidFromMicros(1_000_000, clockIdCount - 1)
    expect(clock.next(same) > same).toBe(true)
  })

  test('refuses what it cannot come after', () => {
    const clock = new TidClock()
    expect(() => clock.next('not a tid')).toThrow(RangeError)
    expect(() => clock.next('jzzzzzzzzzzzz')).toThrow(RangeError)
    expect(() => clock.next(tidFromMicros(Number.MAX_SAFE_INTEGER, 0))).toThrow(RangeError)
  })

  test('two clocks make different TIDs', () => {
    expect(new TidClock(1, () => 1000).next()).not.toBe(new TidClock(2, () => 1000).next())
    expect(isTid(new TidClock().next())).toBe(true)
  })
})
