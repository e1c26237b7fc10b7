import { CID } from 'multiformats/cid'
import { sha256 } from 'multiformats/hashes/sha2'
import { describe, expect, test } from 'vitest'
import {
  cidForCbor,
  cidForRaw,
  cidForRawDigest,
  cidFromBytes,
  cidToBytes,
  cidToLink,
  formatCid,
  InvalidCidError,
  isBlockOf,
  isRawCid,
  linkToCid,
  parseCid,
} from '#protocol/cid.ts'
import { seededRandom } from '../support/random.ts'

const RAW = 0x55
const DAG_CBOR = 0x71

test('CIDs agree with multiformats on text, bytes and objects', async () => {
  const random = seededRandom(4)
  for (let i = 0; i < 300; i++) {
    const block = random.bytes(random.below(200))
    const digest = await sha256.digest(block)
    for (const [codec, cid] of [[RAW, cidForRaw(block)] as const, [DAG_CBOR, cidForCbor(block)] as const]) {
      const theirs = CID.createV1(codec, digest)
      expect(formatCid(cid)).toBe(theirs.toString())
      expect(parseCid(theirs.toString())).toBe(cid)
      expect(cidToBytes(cid).equals(theirs.bytes)).toBe(true)
      expect(cidFromBytes(Buffer.concat([block, theirs.bytes, block]), block.length)).toBe(cid)
      expect(theirs.equals(cidToLink(cid))).toBe(true)
      expect(linkToCid(theirs)).toBe(cid)
      expect(isRawCid(cid)).toBe(codec === RAW)
      expect(isBlockOf(cid, block)).toBe(true)
      expect(isBlockOf(cid, Buffer.concat([block, block, Buffer.from([1])]))).toBe(false)
    }
    expect(cidForRawDigest(digest.digest)).toBe(cidForRaw(block))
  }
})

describe('refuses', () => {
  const text = formatCid(cidForCbor(Buffer.from('block')))

  test.each<[string, string]>([
    ['nothing', ''],
    ['a character too few', text.slice(0, -1)],
    ['a character too many', `${text}a`],
    ['upper case', text.toUpperCase()],
    ['another character', `${text.slice(0, -2)}1a`],
    ['a character beyond Latin', `${text.slice(0, -2)}☎a`],
    ['bits left over', `${text.slice(0, -1)}b`],
    ['another codec', CID.createV1(0x70, CID.parse(text).multihash).toString()],
    [
      'another base',
      CID.parse(text).toString({ encode: (b: Uint8Array) => `f${Buffer.from(b).toString('hex')}` } as never),
    ],
    ['version 0', 'QmbWqxBEKC3P8tqsKc98xmWNzrzDtRLMiMPL8wBuTGsMnR'],
  ])('%s', (_, wrong) => {
    expect(() => parseCid(wrong)).toThrow(InvalidCidError)
  })

  test('bytes that are cut short, or of another kind', () => {
    const bytes = cidToBytes(parseCid(text))
    expect(() => cidFromBytes(bytes, 1)).toThrow(InvalidCidError)
    expect(() => cidFromBytes(bytes.subarray(0, 35))).toThrow(InvalidCidError)
    expect(() => cidFromBytes(bytes, 100)).toThrow(InvalidCidError)
    expect(() => linkToCid(CID.parse('QmbWqxBEKC3P8tqsKc98xmWNzrzDtRLMiMPL8wBuTGsMnR'))).toThrow(
      InvalidCidError,
    )
    for (let i = 0; i < 4; i++) {
      const changed = Buffer.from(bytes)
      changed[i] = 0x60
      expect(() => cidFromBytes(changed)).toThrow(InvalidCidError)
    }
    expect(() => cidForRawDigest(new Uint8Array(31))).toThrow(InvalidCidError)
  })
})
