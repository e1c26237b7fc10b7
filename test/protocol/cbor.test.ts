import { decode as referenceDecode, encode as referenceEncode } from '@atproto/lex-cbor'
import { lexStringify } from '@atproto/lex-json'
import { CID } from 'multiformats/cid'
import { describe, expect, test } from 'vitest'
import {
  CborError,
  type CborValue,
  cborDepthMax,
  decode,
  decodeFirst,
  encode,
  isMap,
} from '#protocol/cbor.ts'
import { cidForCbor, cidToLink, linkToCid } from '#protocol/cid.ts'
import { cborToJsonText, valueToJson } from '#protocol/json.ts'
import { isLink, Link } from '#protocol/link.ts'
import { mutate, seededRandom } from '../support/random.ts'
import { randomValue } from './random-value.ts'

const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex')
const cid = cidForCbor(Buffer.from('block'))

describe('encode', () => {
  test.each<[unknown, string]>([
    [null, 'f6'],
    [false, 'f4'],
    [true, 'f5'],
    [0, '00'],
    [-0, '00'],
    [23, '17'],
    [24, '1818'],
    [255, '18ff'],
    [256, '190100'],
    [65535, '19ffff'],
    [65536, '1a00010000'],
    [2 ** 32 - 1, '1affffffff'],
    [2 ** 32, '1b0000000100000000'],
    [Number.MAX_SAFE_INTEGER, '1b001fffffffffffff'],
    [Number.MIN_SAFE_INTEGER, '3b001ffffffffffffe'],
    [-1, '20'],
    [-24, '37'],
    [-25, '3818'],
    [12n, '0c'],
    ['', '60'],
    ['é', '62c3a9'],
    [new Uint8Array([1, 2]), '420102'],
    [[], '80'],
    [{}, 'a0'],
    [{ bb: 1, a: 2, c: 3, aa: 4 }, 'a4 6161 02 6163 03 626161 04 626262 01'],
    [{ a: undefined, b: 1 }, 'a1 6162 01'],
    [Object.create(null, { a: { value: 1, enumerable: true } }), 'a1 6161 01'],
    // U+FFFF is a lower sequence of bytes than U+10000 and a higher one of UTF-16.
    [{ '\u{10000}': 1, '\uffff1': 2 }, `a2 64${'efbfbf31'} 02 64${'f0908080'} 01`],
  ])('%o', (value, bytes) => {
    expect(encode(value).toString('hex')).toBe(bytes.replaceAll(' ', ''))
  })

  test('a string of any length and script, as @atproto/lex-cbor does', () => {
    for (const character of ['a', 'é', '☎', '😀']) {
      for (const length of [
        0, 1, 7, 8, 9, 10, 13, 22, 23, 24, 39, 40, 41, 85, 86, 127, 128, 255, 256, 30_000, 65_536,
      ]) {
        const text = character.repeat(length)
        expect(encode(text).equals(referenceEncode(text)), `${length} of ${character}`).toBe(true)
        expect(decode(encode(text))).toBe(text)
      }
    }
  })

  test('a lone surrogate becomes U+FFFD, as in @atproto/lex-cbor, but not in a key', () => {
    expect(encode('a\ud800').equals(referenceEncode('a\ud800'))).toBe(true)
    expect(() => encode({ '\ud800': 1 })).toThrow(CborError)
  })

  test('a property that is undefined takes no room, also where the number of keys shrinks its head', () => {
    const map: { [key: string]: number | undefined } = {}
    for (let i = 0; i < 30; i++) map[`key${i}`] = i < 20 ? i : undefined
    expect(encode([map, 'behind']).equals(referenceEncode([map, 'behind'] as never))).toBe(true)
    expect(encode([map])[1]).toBe(0xa0 + 20)
  })

  test('links of every kind of CID object, and of the Cid string', () => {
    const expected = `d82a582500${Buffer.from(cid, 'latin1').toString('hex')}`
    expect(encode(new Link(cid)).toString('hex')).toBe(expected)
    expect(encode(cidToLink(cid)).toString('hex')).toBe(expected)
    // What the reference makes is of another installation of multiformats.
    expect(encode(referenceDecode(hex(expected))).toString('hex')).toBe(expected)
  })

  test.each<[string, unknown]>([
    ['undefined', undefined],
    ['undefined in an array', [undefined]],
    ['a hole', new Array(1)],
    ['a fraction', 1.5],
    ['NaN', Number.NaN],
    ['Infinity', Number.POSITIVE_INFINITY],
    ['2^53', 2 ** 53],
    ['a large bigint', 2n ** 53n],
    ['a function', () => 1],
    ['a symbol', Symbol('a')],
    ['a Map', new Map([['a', 1]])],
    ['a Date', new Date(0)],
    ['an instance', new (class Thing {})()],
    ['another typed array', new Uint16Array(2)],
    ['the key __proto__', JSON.parse('{"__proto__": 1}')],
    ['a circle', circle()],
    ['too deep an array', nested(cborDepthMax + 1)],
  ])('refuses %s', (_, value) => {
    expect(() => encode(value)).toThrow(CborError)
    expect(encode(1)).toEqual(hex('01'))
  })

  test('nests as deep as it may', () => {
    expect(decode(encode(nested(cborDepthMax)))).toEqual(nested(cborDepthMax))
  })

  test('what was encoded stays when more is encoded', () => {
    const first = encode('first')
    const large = encode(Buffer.alloc(5_000_000, 1))
    encode('other')
    expect(first.toString()).toBe('efirst')
    expect(large.length).toBe(5_000_005)
    expect(large[large.length - 1]).toBe(1)
  })
})

describe('decode', () => {
  test.each<[string, string]>([
    ['nothing', ''],
    ['a byte too many', '0101'],
    ['17 in two bytes', '1817 '.slice(0, 4)],
    ['255 in three bytes', '1900ff'],
    ['65535 in five bytes', '1a0000ffff'],
    ['2^32 - 1 in nine bytes', '1b00000000ffffffff'],
    ['2^53', '1b0020000000000000'],
    ['-2^53', '3b001fffffffffffff'],
    ['2^64 - 1', '1bffffffffffffffff'],
    ['a length in two bytes', '780161'],
    ['a reserved head', '1c'],
    ['a half float', 'f93c00'],
    ['a double', 'fb3ff8000000000000'],
    ['undefined', 'f7'],
    ['a simple value', 'f0'],
    ['a break', 'ff'],
    ['indefinite bytes', '5f4101ff'],
    ['an indefinite string', '7f6161ff'],
    ['an indefinite array', '9f01ff'],
    ['an indefinite map', 'bf616101ff'],
    ['bytes cut short', '4201'],
    ['a string cut short', '626'.padEnd(4, '1')],
    ['an array cut short', '8201'],
    ['a map cut short', 'a16161'],
    ['an array of 2^53 - 1', '9b001fffffffffffff'],
    ['a string of 2^32', '7b0000000100000000'],
    ['a map of 2^31', 'ba8000000061'],
    ['a key that is a number', 'a10101'],
    ['a key twice', 'a2616101616102'],
    ['keys not sorted by length', 'a2626161016162 02'],
    ['keys not sorted by bytes', 'a2616201616102'],
    ['the key __proto__', 'a1695f5f70726f746f5f5f01'],
    ['broken UTF-8', '61ff'],
    ['broken UTF-8 in a longer string', `6a${'61'.repeat(9)}ff`],
    ['a surrogate in UTF-8', '63eda080'],
    ['broken UTF-8 in a key', 'a161ff01'],
    ['another tag', 'c001'],
    ['tag 42 of a string', 'd82a6161'],
    ['tag 42 in three bytes', 'd9002a4100'],
    ['an empty link', 'd82a40'],
    ['a link that is no CID', 'd82a4100'],
    ['a link without its zero', `d82a5824${Buffer.from(cid, 'latin1').toString('hex')}`],
  ])('refuses %s', (_, bytes) => {
    expect(() => decode(hex(bytes))).toThrow(CborError)
    expect(() => cborToJsonText(hex(bytes))).toThrow(CborError)
  })

  test('refuses what is nested too deep, however deep', () => {
    expect(() => decode(Buffer.alloc(cborDepthMax + 1, 0x81))).toThrow(CborError)
    expect(() => decode(Buffer.alloc(1_000_000, 0x81))).toThrow(CborError)
  })

  test('U+FFFD that was written, and a byte order mark, stay', () => {
    for (const text of ['\ufffd', 'a long text with \ufffd in it', '\ufeffa', `\ufeff${'a'.repeat(40)}`]) {
      expect(decode(encode(text))).toBe(text)
    }
  })

  test('keys named like properties of every object are keys', () => {
    const value = { toString: 1, constructor: 2, hasOwnProperty: 3 }
    expect(decode(encode(value))).toEqual(value)
  })

  test('links become CID objects, and their Cid comes back', () => {
    const link = decode(encode(new Link(cid)))
    expect(isLink(link) && linkToCid(link)).toBe(cid)
    expect(isMap(link)).toBe(false)
    expect(CID.asCID(link)?.equals(cidToLink(cid))).toBe(true)
  })

  test('links that the protocol does not make are kept', () => {
    for (const text of [
      'QmbWqxBEKC3P8tqsKc98xmWNzrzDtRLMiMPL8wBuTGsMnR',
      'zdj7WhuEjrB52m1BisYCtmjH1hSKa7yZ3jEZ9JcXaFRD51wVz',
    ]) {
      const link = CID.parse(text)
      const block = encode({ link })
      expect(block.equals(referenceEncode({ link } as never))).toBe(true)
      expect(encode(decode(block)).equals(block)).toBe(true)
      expect(cborToJsonText(block)).toBe(JSON.stringify({ link: { $link: link.toString() } }))
    }
  })

  test('bytes and links are views of the input', () => {
    const block = encode({ bytes: new Uint8Array([1, 2, 3]) })
    const { bytes } = decode(block) as { bytes: Uint8Array }
    block[block.length - 1] = 9
    expect(bytes).toEqual(new Uint8Array([1, 2, 9]))
  })

  test('takes a view into a larger buffer', () => {
    const whole = Buffer.concat([hex('0000'), encode({ a: ['text', cidToLink(cid)] }), hex('0000')])
    const view = new Uint8Array(whole.buffer, whole.byteOffset + 2, whole.length - 4)
    expect(encode(decode(view)).equals(view)).toBe(true)
  })

  test('decodeFirst gives one value after the other', () => {
    const bytes = Buffer.concat([encode({ a: 1 }), encode('text'), encode(cidToLink(cid))])
    const first = decodeFirst(bytes)
    const second = decodeFirst(bytes, first.end)
    const third = decodeFirst(bytes, second.end)
    expect([first.value, second.value]).toEqual([{ a: 1 }, 'text'])
    expect(isLink(third.value)).toBe(true)
    expect(third.end).toBe(bytes.length)
    expect(() => decodeFirst(bytes, third.end)).toThrow(CborError)
  })
})

describe('against @atproto/lex-cbor', () => {
  test('random values: the same bytes, the same values', () => {
    const random = seededRandom(1)
    for (let i = 0; i < 3000; i++) {
      const value = randomValue(random)
      const block = encode(value)
      expect(block.equals(referenceEncode(value as never)), `value ${i}`).toBe(true)
      expectSameValue(block, `value ${i}`)
    }
  })

  test('hostile bytes: a CborError, or a canonical value that @atproto/lex-cbor reads the same way', () => {
    const random = seededRandom(2)
    let accepted = 0
    for (let i = 0; i < 10_000; i++) {
      const bytes = mutate(encode(randomValue(random)), random)
      const value = attempt(() => decode(bytes))
      expect(attempt(() => cborToJsonText(bytes)) === undefined).toBe(value === undefined)
      if (value === undefined) continue
      accepted++
      expect(encode(value).equals(bytes), `mutation ${i}: ${bytes.toString('hex')}`).toBe(true)
      expectSameValue(bytes, `mutation ${i}: ${bytes.toString('hex')}`)
    }
    expect(accepted).toBeGreaterThan(500)
    expect(accepted).toBeLessThan(9500)
  })
})

function expectSameValue(block: Buffer, what: string): void {
  const json = JSON.stringify(valueToJson(decode(block)))
  expect(json, what).toBe(lexStringify(referenceDecode(block)))
  expect(cborToJsonText(block), what).toBe(json)
}

/** The value, or undefined when the bytes were refused in the one way they may be. */
function attempt<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch (error) {
    if (error instanceof CborError) return undefined
    throw error
  }
}

function nested(depth: number): CborValue {
  let value: CborValue = []
  for (let i = 1; i < depth; i++) value = i % 2 === 0 ? [value] : { a: value }
  return value
}

function circle(): unknown {
  const value: unknown[] = []
  value.push(value)
  return value
}
