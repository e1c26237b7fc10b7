/** The vectors of keys and signatures. */
import { base58btc } from 'multiformats/bases/base58'
import { describe, expect, test } from 'vitest'
import {
  formatDidKey,
  importKey,
  type KeyAlgorithm,
  parseDidKey,
  parseVerificationMethod,
  verifySignature,
} from '#protocol/keys.ts'
import { vectorJson } from '../support/vectors.ts'

interface SignatureFixture {
  comment: string
  messageBase64: string
  algorithm: KeyAlgorithm
  didDocSuite: string
  publicKeyDid: string
  publicKeyMultibase: string
  signatureBase64: string
  validSignature: boolean
  tags: string[]
}

const load = <T>(name: string): T[] => vectorJson<T[]>(`crypto/${name}.json`)

describe('crypto', () => {
  test.each(load<SignatureFixture>('signature-fixtures'))('$comment', (fixture) => {
    const message = Buffer.from(fixture.messageBase64, 'base64')
    const signature = Buffer.from(fixture.signatureBase64, 'base64')
    const key = parseDidKey(fixture.publicKeyDid)
    expect(key.algorithm).toBe(fixture.algorithm)
    expect(formatDidKey(key)).toBe(fixture.publicKeyDid)
    expect(
      parseVerificationMethod({ type: fixture.didDocSuite, publicKeyMultibase: fixture.publicKeyMultibase }),
    ).toEqual(key)
    expect(verifySignature(key, message, signature)).toBe(fixture.validSignature)
    expect(verifySignature(fixture.publicKeyDid, message, signature)).toBe(fixture.validSignature)
    const malleable = fixture.validSignature || fixture.tags.includes('high-s')
    expect(verifySignature(key, message, signature, { allowMalleable: true })).toBe(malleable)
  })

  test.each(load<{ privateKeyBytesHex: string; publicDidKey: string }>('w3c_didkey_K256'))(
    'K-256 $publicDidKey',
    ({ privateKeyBytesHex, publicDidKey }) => {
      expect(importKey(Buffer.from(privateKeyBytesHex, 'hex'), 'ES256K').did).toBe(publicDidKey)
    },
  )

  test.each(load<{ privateKeyBytesBase58: string; publicDidKey: string }>('w3c_didkey_P256'))(
    'P-256 $publicDidKey',
    ({ privateKeyBytesBase58, publicDidKey }) => {
      expect(importKey(base58btc.decode(`z${privateKeyBytesBase58}`), 'ES256').did).toBe(publicDidKey)
    },
  )
})
