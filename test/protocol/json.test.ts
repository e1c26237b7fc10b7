import { jsonToLex, lexToJson } from '@atproto/lex-json'
import { describe, expect, test } from 'vitest'
import { CborError, type CborValue, cborDepthMax, decode, encode } from '#protocol/cbor.ts'
import { cidForCbor, cidToLink, formatCid } from '#protocol/cid.ts'
import { cborToJsonText, JsonError, jsonToValue, valueToJson } from '#protocol/json.ts'
import { seededRandom } from '../support/random.ts'
import { randomValue } from './random-value.ts'

const cid = cidForCbor(Buffer.from('block'))
const link = { $link: formatCid(cid) }

describe('jsonToValue', () => {
  test('random values survive a round trip, and @atproto/lex-json reads the same', () => {
    const random = seededRandom(3)
    for (let i = 0; i < 2000; i++) {
      const block = encode(randomValue(random))
      // JSON.parse of the text would not do: V8 misreads some escaped keys,
      // https://github.com/nodejs/node/issues/63785
      const json = valueToJson(decode(block))
      const value = attempt(() => jsonToValue(json))
      // A random map may look like a malformed form.
      if (value === undefined) continue
      expect(encode(value).equals(block)).toBe(true)
      expect(encode(jsonToLex(json as never, { strict: false })).equals(block)).toBe(true)
      expect(lexToJson(value as never)).toEqual(json)
    }
  })

  test.each(['', 'AA', 'AA==', 'AAA', 'AAA=', 'nFERjvLLiw9qm45JrqH9QTzyC2Lu1Xb4ne6+sBrCzI0'])(
    '$bytes %j',
    (text) => {
      const expected = Buffer.from(text, 'base64')
      expect(Buffer.from(jsonToValue({ $bytes: text }) as Uint8Array).equals(expected)).toBe(true)
      expect(valueToJson(new Uint8Array(expected))).toEqual({ $bytes: text.replaceAll('=', '') })
    },
  )

  test.each<[string, unknown]>([
    ['a fraction', 1.5],
    ['2^53', 2 ** 53],
    ['undefined', { a: undefined }],
    ['a $link that is a number', { $link: 1 }],
    ['a $link with company', { ...link, a: 1 }],
    ['a $link that is no CID', { $link: 'bafy' }],
    ['a $link beyond all length', { $link: 'b'.repeat(10_000) }],
    ['$bytes that are a list', { $bytes: [1] }],
    ['$bytes with company', { $bytes: 'AA', a: 1 }],
    ['$bytes in the URL alphabet', { $bytes: 'A-__' }],
    ['$bytes of one character', { $bytes: 'A' }],
    ['a $type that is a number', { $type: 1 }],
    ['an empty $type', { $type: '' }],
    ['a blob without a size', { $type: 'blob', ref: link, mimeType: 'text/plain' }],
    ['a blob whose ref is text', { $type: 'blob', ref: link.$link, mimeType: 'text/plain', size: 1 }],
    ['the key __proto__', JSON.parse('{"__proto__": 1}')],
    ['what is nested too deep', JSON.parse('['.repeat(cborDepthMax + 1) + ']'.repeat(cborDepthMax + 1))],
  ])('refuses %s', (_, json) => {
    expect(() => jsonToValue(json)).toThrow(JsonError)
    expect(() => jsonToValue([{ a: json }])).toThrow(JsonError)
  })
})

describe('cborToJsonText', () => {
  test('every character of JSON is escaped as JSON.stringify does', () => {
    for (let code = 0; code < 0x3000; code++) {
      const text = `a${String.fromCharCode(code)}`
      expect(cborToJsonText(encode({ [text]: text }))).toBe(JSON.stringify({ [text]: text }))
    }
  })

  test('keys that are array indexes come first, as in an object', () => {
    const value = { b: 1, 10: { 2: 1, 1: 2 }, 9: 3, '01': 4, 4294967295: 5, '1a': 6 }
    expect(cborToJsonText(encode(value))).toBe(JSON.stringify(decode(encode(value))))
    expect(Object.keys(JSON.parse(cborToJsonText(encode(value))))[0]).toBe('9')
  })

  test('a text larger than the scratch, of links, bytes and escapes', () => {
    const value: CborValue = Array.from({ length: 5000 }, (_, i) => ({
      link: cidToLink(cidForCbor(Buffer.from(String(i)))),
      bytes: new Uint8Array(i % 50),
      text: '\n"\u0001é'.repeat(i % 100),
      key: -i,
    }))
    const block = encode(value)
    expect(cborToJsonText(block)).toBe(JSON.stringify(valueToJson(decode(block))))
    expect(cborToJsonText(encode({ a: 1 }))).toBe('{"a":1}')
  })

  test('one enormous escape-laden string', () => {
    const text = '\u0000'.repeat(3_000_000)
    expect(cborToJsonText(encode(text))).toBe(JSON.stringify(text))
  })

  test('refuses two values', () => {
    expect(() => cborToJsonText(Buffer.from([1, 1]))).toThrow(CborError)
  })
})

function attempt<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch (error) {
    if (error instanceof JsonError) return undefined
    throw error
  }
}
