import { Secp256k1Keypair } from '@atproto/crypto'
import { encode as referenceEncode } from '@atproto/lex-cbor'
import { signCommit as referenceSign, verifyCommitSig } from '@atproto/repo'
import { describe, expect, test } from 'vitest'
import { decode, encode } from '#protocol/cbor.ts'
import { cidForCbor, cidForRaw, cidToLink } from '#protocol/cid.ts'
import { CommitError, decodeCommit, signCommit, verifyCommit } from '#protocol/commit.ts'
import { generateKey, importKey, parseDidKey } from '#protocol/keys.ts'
import { Link } from '#protocol/link.ts'
import { mutate, seededRandom } from '../support/random.ts'

const did = 'did:plc:2a7ygipkrbh544aqhcav53oy'
const rev = '3jzfcijpj2z2a'
const data = cidForCbor(Buffer.from('tree'))
const prev = cidForCbor(Buffer.from('previous'))

describe.each(['ES256K', 'ES256'] as const)('%s', (algorithm) => {
  const key = generateKey(algorithm)

  test.each([null, prev])('signs, reads and verifies, and @atproto/repo verifies', async (previous) => {
    const { cid, block, commit } = signCommit({ did, data, rev, prev: previous }, key)
    expect(cid).toBe(cidForCbor(block))
    expect(decodeCommit(block)).toEqual(commit)
    expect(verifyCommit(commit, key.did)).toBe(true)
    expect(verifyCommit(commit, parseDidKey(key.did))).toBe(true)
    expect(verifyCommit(commit, generateKey(algorithm).did)).toBe(false)
    expect(await verifyCommitSig(decode(block) as never, key.did)).toBe(true)
  })

  test('a change of any field breaks the signature', () => {
    const { commit } = signCommit({ did, data, rev, prev: null }, key)
    for (const change of [
      { did: `${did}a` },
      { data: prev },
      { rev: '3jzfcijpj2z2b' },
      { prev },
      { sig: Buffer.alloc(64) },
    ]) {
      expect(verifyCommit({ ...commit, ...change }, key.did)).toBe(false)
    }
  })
})

test('a commit has the same block as in @atproto/repo', async () => {
  const secret = Buffer.alloc(32, 7)
  const unsigned = { did, version: 3 as const, data: cidToLink(data), rev, prev: null }
  const theirs = await referenceSign(unsigned as never, await Secp256k1Keypair.import(secret))
  const { block } = signCommit({ did, data, rev, prev: null }, importKey(secret))
  expect(block.equals(referenceEncode(theirs as never))).toBe(true)
})

test('unknown fields of a commit are ignored, as in @atproto/repo, and are not signed', () => {
  const key = generateKey()
  const { commit } = signCommit({ did, data, rev, prev: null }, key)
  const fields = { did, version: 3, data: new Link(data), rev, prev: null }
  const later = decodeCommit(encode({ ...fields, sig: commit.sig, later: 1 }))
  expect(later).toEqual(commit)
  expect(verifyCommit(later, key.did)).toBe(true)
  const signed = decodeCommit(encode({ ...fields, sig: key.sign(encode({ ...fields, later: 1 })), later: 1 }))
  expect(verifyCommit(signed, key.did)).toBe(false)
})

describe('refuses', () => {
  const fields = { did, version: 3, data: new Link(data), rev, prev: null, sig: new Uint8Array(64) }

  test('nothing of a complete commit', () => {
    expect(decodeCommit(encode(fields)).rev).toBe(rev)
  })

  test.each<[string, object]>([
    ['no did', { did: undefined }],
    ['a did that is none', { did: 'example.com' }],
    ['no version', { version: undefined }],
    ['version 2', { version: 2 }],
    ['version "3"', { version: '3' }],
    ['no data', { data: undefined }],
    ['data that is null', { data: null }],
    ['data that is text', { data: 'bafy' }],
    ['a rev that is no TID', { rev: 'first' }],
    ['no prev', { prev: undefined }],
    ['a prev that is a number', { prev: 1 }],
    ['no signature', { sig: undefined }],
    ['a signature that is text', { sig: 'text' }],
  ])('%s', (_, change) => {
    expect(() => decodeCommit(encode({ ...fields, ...change }))).toThrow(CommitError)
  })

  test('what is not a map, or not CBOR', () => {
    for (const value of [null, [fields], 'text', new Link(data), new Uint8Array(9)]) {
      expect(() => decodeCommit(encode(value))).toThrow(CommitError)
    }
    expect(() => decodeCommit(Buffer.from([0xff]))).toThrow(CommitError)
    expect(decodeCommit(encode({ ...fields, data: new Link(cidForRaw(Buffer.alloc(1))) })).did).toBe(did)
  })

  test('10,000 mutations, with a CommitError, or sees that they are not signed', () => {
    const random = seededRandom(8)
    const key = generateKey()
    const { block } = signCommit({ did, data, rev, prev: null }, key)
    for (let i = 0; i < 10_000; i++) {
      const bytes = mutate(block, random)
      if (bytes.equals(block)) continue
      try {
        const commit = decodeCommit(bytes)
        expect(
          encode({ ...commit, data: new Link(commit.data), prev: null }).equals(bytes) &&
            verifyCommit(commit, key.did),
        ).toBe(false)
      } catch (error) {
        expect(error).toBeInstanceOf(CommitError)
      }
    }
  })
})
