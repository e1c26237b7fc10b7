import { decode as decodeTolerantly } from '@atproto/lex-cbor'
import { describe, expect, it } from 'vitest'
import { CborError, encode } from '#protocol/cbor.ts'
import { cborToJsonText } from '#protocol/json.ts'
import { decodeRecord, isDeeper, RECORD_DEPTH_MAX, recordToJsonText } from '#protocol/record.ts'
import { seededRandom } from '../support/random.ts'
import { randomValue } from './random-value.ts'

const nested = (head: string, levels: number, leaf = '00') => Buffer.from(head.repeat(levels) + leaf, 'hex')

describe('a record’s block', () => {
  it('reads as canonical DAG-CBOR does, when it is', () => {
    const random = seededRandom(5)
    for (let i = 0; i < 200; i++) {
      const block = encode(randomValue(random))
      expect(recordToJsonText(block)).toBe(cborToJsonText(block))
    }
  })

  it.each([
    ['1b0020000000000001', '9007199254740993'],
    ['3bffffffffffffffff', '-18446744073709551616'],
    ['fb3ff8000000000000', '1.5'],
    ['82f7f6', '[null,null]'],
    ['a261620161611b7fffffffffffffff', '{"b":1,"a":9223372036854775807}'],
    ['a1695f5f70726f746f5f5fa0', '{}'],
    ['a26162d82a450001550000616100', '{"b":{"$link":"bafkqaaa"},"a":0}'],
  ])('reads as other hosts do, when it is not: %s', (hex, json) => {
    const block = Buffer.from(hex, 'hex')
    expect(() => cborToJsonText(block)).toThrow(CborError)
    expect(recordToJsonText(block)).toBe(json)
    expect(decodeRecord(block)).toEqual(decodeTolerantly(block))
  })

  it.each(['', '18', '5a00', 'fb7ff8000000000000', '9f00ff', 'c100', 'a10000', '0000', 'a2616100616100'])(
    'is refused when nobody reads it: %s',
    (hex) => {
      expect(() => decodeRecord(Buffer.from(hex, 'hex'))).toThrow(CborError)
      expect(() => recordToJsonText(Buffer.from(hex, 'hex'))).toThrow(CborError)
    },
  )

  it.each(['81', 'a16161', 'a200f66161', 'd82a', '8200', 'c1'])(
    'nests within the limit, whatever it is made of: %s',
    (head) => {
      for (const levels of [RECORD_DEPTH_MAX + 2, 20_000, 400_000])
        expect(() => decodeRecord(nested(head, levels))).toThrow(CborError)
    },
  )

  it('may nest as deep as the limit, odd or not', () => {
    // An integer beyond 2^53 has it read the other way.
    for (const leaf of ['00', '1b0020000000000000', '80', 'a0', 'd82a450001550000'])
      for (const head of ['81', 'a16161', '82f6']) {
        const own = leaf === '80' || leaf === 'a0' ? 1 : 0
        expect(() => decodeRecord(nested(head, RECORD_DEPTH_MAX - own, leaf))).not.toThrow()
        expect(() => decodeRecord(nested(head, RECORD_DEPTH_MAX - own + 1, leaf))).toThrow('deeper than 1024')
      }
  })
})

describe('the depth of CBOR', () => {
  it('is that of the deepest item', () => {
    const random = seededRandom(7)
    const depthOf = (value: unknown): number =>
      typeof value !== 'object' || value === null || value instanceof Uint8Array || 'asCID' in value
        ? 0
        : 1 + Math.max(0, ...Object.values(value).map(depthOf))
    for (let i = 0; i < 300; i++) {
      const value = randomValue(random)
      const block = encode(value)
      const depth = depthOf(value)
      expect(isDeeper(block, depth)).toBe(false)
      if (depth > 0) expect(isDeeper(block, depth - 1)).toBe(true)
    }
  })
})
