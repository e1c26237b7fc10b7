import { describe, expect, test } from 'vitest'
import { DomainError } from '#platform/errors.ts'
import { decodeCursor, encodeCursor } from '../../../feedgen/feeds/cursor.ts'

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
