import { describe, expect, test } from 'vitest'
import { DomainError } from '#platform/errors.ts'
import { decodeCursor, encodeCursor } from '../../../feedgen/feeds/cursor.ts'
import { halfLifeHours, heatOf } from '../../../feedgen/feeds/heat.ts'
import { Snapshots } from '../../../feedgen/feeds/snapshots.ts'

describe('heat', () => {
  const nothing = { likes: 0, reposts: 0, replies: 0, quotes: 0, sortAt: 0 }
  const hours = (count: number) => count * 3_600_000

  test('rises with each kind of engagement and with youth', () => {
    for (const field of ['likes', 'reposts', 'replies', 'quotes', 'sortAt'] as const) {
      expect(heatOf({ ...nothing, [field]: 1 })).toBeGreaterThan(heatOf(nothing))
    }
  })

  test('falls by half the points in a half-life', () => {
    const older = { ...nothing, likes: 7 }
    const younger = { ...nothing, likes: 3, sortAt: hours(halfLifeHours) }
    expect(heatOf(younger)).toBeCloseTo(heatOf(older), 10)
  })

  test('tells posts of today apart that differ by a second', () => {
    const sortAt = Date.parse('2026-07-04T12:00:00Z')
    expect(heatOf({ ...nothing, sortAt: sortAt + 1000 })).toBeGreaterThan(heatOf({ ...nothing, sortAt }))
  })
})

describe('a cursor', () => {
  test('carries numbers and strings exactly', () => {
    const values = [1782829200123, 123456.789012345, 'at://did:plc:a/app.bsky.feed.post/1', '', 'ü'] as const
    const kinds = ['number', 'number', 'string', 'string', 'string'] as const
    expect(decodeCursor(encodeCursor(values), kinds)).toEqual(values)
  })

  test('is refused when it is none, or one of other values', () => {
    const bad = [
      '',
      'x',
      '!!',
      'null',
      encodeCursor([]),
      encodeCursor(['1']),
      encodeCursor([1, 2]),
      'A'.repeat(5000),
    ]
    for (const cursor of bad) expect(() => decodeCursor(cursor, ['number'])).toThrow(DomainError)
  })
})

describe('snapshots', () => {
  test('are made anew when they are no longer fresh, and found again by number', async () => {
    let now = 1000
    let made = 0
    const snapshots = new Snapshots(async () => [++made], { freshMs: 100, snapshotsMax: 2, now: () => now })
    const [first, same] = await Promise.all([snapshots.newest(), snapshots.newest()])
    expect(same).toBe(first)
    now += 99
    expect(await snapshots.newest()).toBe(first)
    now += 1
    const second = await snapshots.newest()
    expect(second.items).toEqual([2])
    expect(snapshots.find(first.id)).toBe(first)
    now += 100
    await snapshots.newest()
    expect(snapshots.find(first.id)).toBeUndefined()
    expect(snapshots.find(second.id)).toBe(second)
  })

  test('have numbers of their own although the clock stands still or goes back', async () => {
    let now = 1000
    const snapshots = new Snapshots(async () => [], { freshMs: 0, snapshotsMax: 10, now: () => now })
    const ids = [(await snapshots.newest()).id, (await snapshots.newest()).id]
    now = 500
    ids.push((await snapshots.newest()).id)
    expect(new Set(ids).size).toBe(3)
  })

  test('that cannot be made are tried again', async () => {
    let tries = 0
    const make = async () => {
      if (++tries === 1) throw new Error('no')
      return ['made']
    }
    const snapshots = new Snapshots(make, { freshMs: 1e9, snapshotsMax: 2 })
    await expect(snapshots.newest()).rejects.toThrow('no')
    expect((await snapshots.newest()).items).toEqual(['made'])
  })
})
