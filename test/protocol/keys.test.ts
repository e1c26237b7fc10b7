import {
  P256Keypair,
  parseDidKey as referenceParse,
  verifySignature as referenceVerify,
  Secp256k1Keypair,
} from '@atproto/crypto'
import { p256 } from '@noble/curves/p256'
import { secp256k1 as k256 } from '@noble/curves/secp256k1'
import { base58btc } from 'multiformats/bases/base58'
import { describe, expect, test, vi } from 'vitest'
import {
  formatDidKey,
  formatMultikey,
  generateKey,
  importKey,
  type KeyAlgorithm,
  KeyError,
  parseDidKey,
  parseMultikey,
  parseVerificationMethod,
  verifySignature,
} from '#protocol/keys.ts'
import { seededRandom } from '../support/random.ts'

const CURVES = { ES256K: k256, ES256: p256 }
const SUITES = { ES256K: 'EcdsaSecp256k1VerificationKey2019', ES256: 'EcdsaSecp256r1VerificationKey2019' }
const message = Buffer.from('message')

describe.each<KeyAlgorithm>(['ES256K', 'ES256'])('%s', (algorithm) => {
  const curve = CURVES[algorithm]
  const key = importKey(Buffer.alloc(32, 7), algorithm)
  const signature = key.sign(message)

  test('agrees with @atproto/crypto, both ways', async () => {
    const random = seededRandom(6)
    for (let i = 0; i < 20; i++) {
      const secret = random.bytes(32)
      const ours = importKey(secret, algorithm)
      const theirs = await (algorithm === 'ES256K' ? Secp256k1Keypair : P256Keypair).import(secret)
      const text = random.bytes(random.below(300))
      expect(ours.did).toBe(theirs.did())
      expect(Buffer.from(ours.export()).equals(secret)).toBe(true)
      expect(await referenceVerify(ours.did, text, ours.sign(text))).toBe(true)
      expect(verifySignature(ours.did, text, await theirs.sign(text))).toBe(true)
      expect(parseDidKey(ours.did).algorithm).toBe(referenceParse(ours.did).jwtAlg)
    }
  })

  test('signatures are 64 bytes with the low s', () => {
    for (let i = 0; i < 50; i++) {
      const each = key.sign(Buffer.from([i]))
      expect(each.length).toBe(64)
      expect(curve.Signature.fromCompact(each).hasHighS()).toBe(false)
    }
  })

  test('another message, another key, or a changed signature is false', () => {
    expect(verifySignature(key.did, message, signature)).toBe(true)
    expect(verifySignature(key.did, Buffer.from('another'), signature)).toBe(false)
    expect(verifySignature(generateKey(algorithm).did, message, signature)).toBe(false)
    for (let i = 0; i < 64; i++) {
      const changed = Uint8Array.from(signature)
      changed[i] = (changed[i] as number) ^ 1
      expect(verifySignature(key.did, message, changed)).toBe(false)
    }
  })

  test('a high s is accepted only where it is allowed', () => {
    const { r, s } = curve.Signature.fromCompact(signature)
    const high = new curve.Signature(r, curve.CURVE.n - s).toCompactRawBytes()
    expect(verifySignature(key.did, message, high)).toBe(false)
    expect(verifySignature(key.did, message, high, { allowMalleable: true })).toBe(true)
    expect(verifySignature(key.did, message, signature, { allowMalleable: true })).toBe(true)
  })

  test.each<[string, Uint8Array]>([
    ['nothing', new Uint8Array(0)],
    ['63 bytes', signature.subarray(1)],
    ['65 bytes', Buffer.concat([signature, Buffer.alloc(1)])],
    ['DER', curve.Signature.fromCompact(signature).toDERRawBytes()],
    ['zeros', new Uint8Array(64)],
    ['ones', new Uint8Array(64).fill(255)],
    ['r of zero', Buffer.concat([Buffer.alloc(32), signature.subarray(32)])],
    ['s of zero', Buffer.concat([signature.subarray(0, 32), Buffer.alloc(32)])],
  ])('a signature that is %s is false', (_, wrong) => {
    expect(verifySignature(key.did, message, wrong)).toBe(false)
    expect(verifySignature(key.did, message, wrong, { allowMalleable: true })).toBe(false)
  })

  test('keys come back from their texts and from every kind of verification method', () => {
    const parsed = parseDidKey(key.did)
    expect(parsed.algorithm).toBe(algorithm)
    expect(formatDidKey(parsed)).toBe(key.did)
    expect(parseMultikey(formatMultikey(parsed))).toEqual(parsed)
    const point = curve.ProjectivePoint.fromHex(parsed.bytes)
    for (const bytes of [point.toRawBytes(true), point.toRawBytes(false)]) {
      const publicKeyMultibase = base58btc.encode(bytes)
      expect(parseVerificationMethod({ type: SUITES[algorithm], publicKeyMultibase })).toEqual(parsed)
    }
    const publicKeyMultibase = formatMultikey(parsed)
    expect(parseVerificationMethod({ type: 'Multikey', publicKeyMultibase })).toEqual(parsed)
  })

  test.each<[string, Uint8Array]>([
    ['31 bytes', new Uint8Array(31).fill(1)],
    ['zero', new Uint8Array(32)],
    ['the order of the curve', Buffer.from(curve.CURVE.n.toString(16), 'hex')],
    ['beyond it', new Uint8Array(32).fill(255)],
  ])('a secret of %s is refused', (_, secret) => {
    expect(() => importKey(secret, algorithm)).toThrow(KeyError)
  })

  test('a secret is copied, in and out', () => {
    const secret = Buffer.alloc(32, 7)
    const own = importKey(secret, algorithm)
    secret.fill(8)
    own.export().fill(9)
    expect(own.did).toBe(key.did)
    expect(verifySignature(key.did, message, own.sign(message))).toBe(true)
  })

  test('points off the curve are refused', () => {
    const { bytes } = parseDidKey(key.did)
    const refused = Array.from({ length: 50 }, (_, i) => {
      const point = Uint8Array.from(bytes)
      point[32] = (bytes[32] as number) ^ (i + 1)
      try {
        curve.ProjectivePoint.fromHex(point)
        return false
      } catch {
        expect(() => parseDidKey(formatDidKey({ algorithm, bytes: point }))).toThrow(KeyError)
        return true
      }
    })
    // Half of all x have no point.
    expect(refused.filter(Boolean).length).toBeGreaterThan(10)
  })
})

test.each([
  '',
  'did:key:',
  'did:plc:abc',
  'did:key:zQ3sh',
  'did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK',
  'did:key:zQ3shqwJEJyMBsBXCWyCBpUBMqxcon9oHB7mCvx4sSpMdLJw0',
  `did:key:z${'1'.repeat(1_000_000)}`,
])('parseDidKey refuses %.40s', (did) => {
  expect(() => parseDidKey(did)).toThrow(KeyError)
  expect(() => verifySignature(did, message, new Uint8Array(64))).toThrow(KeyError)
})

test.each([
  { type: 'Unknown', publicKeyMultibase: 'zabc' },
  { type: 'Multikey' },
  { type: 'Multikey', publicKeyMultibase: '!' },
  { type: 'EcdsaSecp256k1VerificationKey2019', publicKeyMultibase: 'z' },
  { type: 'EcdsaSecp256r1VerificationKey2019', publicKeyMultibase: 'mAAAA' },
])('parseVerificationMethod refuses %j', (method) => {
  expect(() => parseVerificationMethod(method)).toThrow(KeyError)
})

test('more keys than the cache holds verify as well', () => {
  const keys = Array.from({ length: 4200 }, (_, i) => {
    const secret = Buffer.alloc(32, 1)
    secret.writeUInt32BE(i)
    return importKey(secret, 'ES256')
  })
  const signature = keys[0]!.sign(message)
  for (const key of keys) expect(verifySignature(key.did, message, signature)).toBe(key === keys[0])
  expect(verifySignature(keys[0]!.did, message, signature)).toBe(true)
})

test('without its binary, secp256k1 gives the same results', async () => {
  let mocked = false
  vi.resetModules()
  vi.doMock('secp256k1', async () => {
    mocked = true
    return { default: (await import('secp256k1/elliptic.js' as string)).default }
  })
  const fallback = await import('#protocol/keys.ts')
  vi.doUnmock('secp256k1')
  expect(mocked).toBe(true)
  const secret = Buffer.alloc(32, 7)
  const [theirs, ours] = [fallback.importKey(secret), importKey(secret)]
  expect(theirs.did).toBe(ours.did)
  expect(Buffer.from(theirs.sign(message)).equals(ours.sign(message))).toBe(true)
  const { r, s } = k256.Signature.fromCompact(ours.sign(message))
  const high = new k256.Signature(r, k256.CURVE.n - s).toCompactRawBytes()
  expect(fallback.verifySignature(ours.did, message, high)).toBe(false)
  expect(fallback.verifySignature(ours.did, message, high, { allowMalleable: true })).toBe(true)
  expect(fallback.verifySignature(ours.did, message, new Uint8Array(64).fill(255))).toBe(false)
  expect(() => fallback.importKey(new Uint8Array(32))).toThrow(fallback.KeyError)
})
