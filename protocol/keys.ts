/**
 * Keys and signatures: K-256 (`ES256K`) and P-256 (`ES256`), their did:key and multikey texts. All
 * of it is synchronous.
 *
 * A signature is 64 bytes, r and s, over the SHA-256 of the message, with the lower of the two
 * possible s. K-256 runs in the native `secp256k1`, which falls back to JavaScript by itself where
 * it has no binary; P-256 in OpenSSL. https://atproto.com/specs/cryptography
 */
import {
  createECDH,
  createPrivateKey,
  createPublicKey,
  ECDH,
  hash,
  type KeyObject,
  randomBytes,
  sign as signWith,
  verify as verifyWith,
} from 'node:crypto'
import { createRequire } from 'node:module'
import { multibaseToBytes } from '@atproto/crypto'
import { base58btc } from 'multiformats/bases/base58'
import secp256k1 from 'secp256k1'

/**
 * Whether K-256 runs in native code; in JavaScript it is slower, and not made to take the same time
 * for every key.
 */
export const isK256Native: boolean = canLoad('secp256k1/bindings.js')

/** The JWT names of the two curves: `ES256K` is K-256 (secp256k1), `ES256` is P-256 (secp256r1). */
export type KeyAlgorithm = 'ES256K' | 'ES256'

/** A public key: a point that was checked to lie on its curve, compressed to 33 bytes. */
export interface PublicKey {
  readonly algorithm: KeyAlgorithm
  readonly bytes: Uint8Array
}

/** A private key that signs. */
export interface SigningKey {
  readonly algorithm: KeyAlgorithm
  /** The public key as a did:key. */
  readonly did: string
  /**
   * Signs the SHA-256 of the message: 64 bytes, low s. The same message gives the same K-256
   * signature.
   */
  sign(message: Uint8Array): Uint8Array
  /** The 32 secret bytes. */
  export(): Uint8Array
}

/** A key that is malformed, of an unknown kind, or not on its curve. */
export class KeyError extends Error {
  override name = 'KeyError'
}

const SECRET_BYTES = 32
const COMPRESSED_BYTES = 33
const SIGNATURE_BYTES = 64
const DID_KEY = 'did:key:'
/**
 * No key's text is longer; what is longer is not worth a base58 decoding, whose cost is quadratic.
 */
const keyTextCharactersMax = 256
/** Parsed keys that are remembered, so that a text costs its base58 and its curve check once. */
const keysRememberedMax = 4096

const MULTICODEC = { ES256K: [0xe7, 0x01], ES256: [0x80, 0x24] } as const

const P256_ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n
const P256_HALF_ORDER = toBytes32(P256_ORDER >> 1n)
const K256_HALF_ORDER = Buffer.from('7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0', 'hex')
/**
 * DER around the secret of a P-256 key (SEC 1) and around a compressed P-256 point
 * (SubjectPublicKeyInfo).
 */
const P256_SEC1 = [
  Buffer.from('30310201010420', 'hex'),
  Buffer.from('a00a06082a8648ce3d030107', 'hex'),
] as const
const P256_SPKI = Buffer.from('3039301306072a8648ce3d020106082a8648ce3d030107032200', 'hex')

/** A new random key. */
export function generateKey(algorithm: KeyAlgorithm = 'ES256K'): SigningKey {
  // A random secret is out of range once in 2^32 for P-256, and once in 2^128 for K-256.
  for (;;) {
    const secret = randomBytes(SECRET_BYTES)
    if (isSecret(secret, algorithm)) return importKey(secret, algorithm)
  }
}

/**
 * The key of 32 secret bytes, which are copied.
 * @throws KeyError when they are not a secret of that curve
 */
export function importKey(secret: Uint8Array, algorithm: KeyAlgorithm = 'ES256K'): SigningKey {
  if (secret.length !== SECRET_BYTES || !isSecret(secret, algorithm)) throw new KeyError('not a secret key')
  const own = Uint8Array.from(secret)
  return algorithm === 'ES256K' ? importK256(own) : importP256(own)
}

function isSecret(secret: Uint8Array, algorithm: KeyAlgorithm): boolean {
  if (algorithm === 'ES256K') return secp256k1.privateKeyVerify(secret)
  const n = BigInt(`0x${Buffer.from(secret).toString('hex')}`)
  return n > 0n && n < P256_ORDER
}

function importK256(secret: Uint8Array): SigningKey {
  return {
    algorithm: 'ES256K',
    did: formatDidKey({ algorithm: 'ES256K', bytes: secp256k1.publicKeyCreate(secret, true) }),
    sign: (message) => secp256k1.ecdsaSign(sha256(message), secret).signature,
    export: () => Uint8Array.from(secret),
  }
}

function importP256(secret: Uint8Array): SigningKey {
  const curve = createECDH('prime256v1')
  curve.setPrivateKey(secret)
  const point = curve.getPublicKey(null, 'compressed')
  const key = createPrivateKey({
    key: Buffer.concat([P256_SEC1[0], secret, P256_SEC1[1]]),
    format: 'der',
    type: 'sec1',
  })
  return {
    algorithm: 'ES256',
    did: formatDidKey({ algorithm: 'ES256', bytes: point }),
    sign: (message) => lowerS(signWith('sha256', message, { key, dsaEncoding: 'ieee-p1363' })),
    export: () => Uint8Array.from(secret),
  }
}

/** The same P-256 signature with the lower s: n - s is as valid as s. */
function lowerS(signature: Buffer): Uint8Array {
  const s = signature.subarray(32)
  if (s.compare(P256_HALF_ORDER) > 0) toBytes32(P256_ORDER - BigInt(`0x${s.toString('hex')}`)).copy(s)
  return new Uint8Array(signature)
}

function toBytes32(n: bigint): Buffer {
  return Buffer.from(n.toString(16).padStart(64, '0'), 'hex')
}

/**
 * The key of a did:key.
 * @throws KeyError
 */
export function parseDidKey(did: string): PublicKey {
  if (!did.startsWith(DID_KEY)) throw new KeyError(`not a did:key: ${did.slice(0, 80)}`)
  return parseMultikey(did.slice(DID_KEY.length))
}

/** The did:key of a key. */
export function formatDidKey(key: PublicKey): string {
  return DID_KEY + formatMultikey(key)
}

/**
 * Parsed keys by multikey; a Map gives its entries in the order of their insertion, so the oldest
 * goes first.
 */
const parsedKeys = new Map<string, PublicKey>()

/**
 * The key of a multikey: base58 of a curve's code and the compressed point.
 * @throws KeyError
 */
export function parseMultikey(multikey: string): PublicKey {
  const known = parsedKeys.get(multikey)
  if (known !== undefined) return known
  const bytes = decodeMultibase(multikey, 'z')
  const algorithm = algorithmOf(bytes)
  const point = bytes.subarray(2)
  if (point.length !== COMPRESSED_BYTES) throw new KeyError('a multikey holds a compressed point of 33 bytes')
  const key = publicKey(algorithm, point)
  remember(parsedKeys, multikey, key)
  return key
}

/** The multikey of a key, `z...`. */
export function formatMultikey(key: PublicKey): string {
  const bytes = new Uint8Array(2 + COMPRESSED_BYTES)
  bytes.set(MULTICODEC[key.algorithm])
  bytes.set(key.bytes, 2)
  return base58btc.encode(bytes)
}

/**
 * A verification method of a DID document, as far as it matters here: a document from outside may
 * hold anything.
 */
export interface VerificationMethod {
  type: string
  publicKeyMultibase?: string
}

/**
 * The key of a DID document's verification method: a `Multikey`, or one of the two older kinds,
 * whose multibase text is the bare point, compressed or not.
 * @throws KeyError
 */
export function parseVerificationMethod({ type, publicKeyMultibase }: VerificationMethod): PublicKey {
  if (typeof publicKeyMultibase !== 'string')
    throw new KeyError('a verification method without a multibase key')
  switch (type) {
    case 'Multikey':
      return parseMultikey(publicKeyMultibase)
    case 'EcdsaSecp256k1VerificationKey2019':
      return publicKey('ES256K', decodeMultibase(publicKeyMultibase))
    case 'EcdsaSecp256r1VerificationKey2019':
      return publicKey('ES256', decodeMultibase(publicKeyMultibase))
    default:
      throw new KeyError(`a verification method of unknown type ${String(type).slice(0, 80)}`)
  }
}

function decodeMultibase(text: string, prefix = ''): Uint8Array {
  if (text.length > keyTextCharactersMax || !text.startsWith(prefix))
    throw new KeyError('not a key in multibase')
  try {
    return text.startsWith('z') ? base58btc.decode(text) : multibaseToBytes(text)
  } catch (cause) {
    throw new KeyError('not a key in multibase', { cause })
  }
}

function algorithmOf(bytes: Uint8Array): KeyAlgorithm {
  for (const algorithm of ['ES256K', 'ES256'] as const) {
    const [first, second] = MULTICODEC[algorithm]
    if (bytes[0] === first && bytes[1] === second) return algorithm
  }
  throw new KeyError('a key of an unknown kind')
}

/** Checks that the point is on the curve, and compresses it. */
function publicKey(algorithm: KeyAlgorithm, point: Uint8Array): PublicKey {
  try {
    const bytes =
      algorithm === 'ES256K'
        ? secp256k1.publicKeyConvert(point, true)
        : (ECDH.convertKey(point, 'prime256v1', undefined, undefined, 'compressed') as Buffer)
    return { algorithm, bytes: new Uint8Array(bytes) }
  } catch (cause) {
    throw new KeyError('a key that is not a point of its curve', { cause })
  }
}

/**
 * Whether `signature` is the key's over `message`. False for a malformed one (DER among them), and
 * for one with the high s unless `allowMalleable`, which is for tokens: their libraries do not all
 * lower it.
 * @throws KeyError when the key is a malformed did:key
 */
export function verifySignature(
  key: PublicKey | string,
  message: Uint8Array,
  signature: Uint8Array,
  { allowMalleable = false }: { allowMalleable?: boolean } = {},
): boolean {
  const { algorithm, bytes } = typeof key === 'string' ? parseDidKey(key) : key
  if (signature.length !== SIGNATURE_BYTES) return false
  return algorithm === 'ES256K'
    ? verifyK256(bytes, message, signature, allowMalleable)
    : verifyP256(bytes, message, signature, allowMalleable)
}

function verifyK256(
  point: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
  allowMalleable: boolean,
): boolean {
  const high = isHighS(signature, K256_HALF_ORDER)
  if (high && !allowMalleable) return false
  try {
    const lower = high ? secp256k1.signatureNormalize(Uint8Array.from(signature)) : signature
    return secp256k1.ecdsaVerify(lower, sha256(message), point)
  } catch {
    // r or s is out of range.
    return false
  }
}

function verifyP256(
  point: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
  allowMalleable: boolean,
): boolean {
  if (!allowMalleable && isHighS(signature, P256_HALF_ORDER)) return false
  return verifyWith('sha256', message, { key: p256Key(point), dsaEncoding: 'ieee-p1363' }, signature)
}

/** OpenSSL's form of P-256 keys by their point: making one costs more than a verification. */
const p256Keys = new Map<string, KeyObject>()

function p256Key(point: Uint8Array): KeyObject {
  const name = Buffer.from(point.buffer, point.byteOffset, point.length).toString('latin1')
  let key = p256Keys.get(name)
  if (key === undefined) {
    key = createPublicKey({ key: Buffer.concat([P256_SPKI, point]), format: 'der', type: 'spki' })
    remember(p256Keys, name, key)
  }
  return key
}

function remember<V>(map: Map<string, V>, name: string, value: V): void {
  if (map.size >= keysRememberedMax) map.delete(map.keys().next().value as string)
  map.set(name, value)
}

function isHighS(signature: Uint8Array, halfOrder: Uint8Array): boolean {
  return Buffer.compare(signature.subarray(32), halfOrder) > 0
}

function sha256(message: Uint8Array): Buffer {
  return hash('sha256', message, 'buffer')
}

function canLoad(module: string): boolean {
  try {
    createRequire(import.meta.url)(module)
    return true
  } catch {
    return false
  }
}
