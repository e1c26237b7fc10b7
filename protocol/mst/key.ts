/** The keys of a tree, and the layer that each belongs to. */
import { hash } from 'node:crypto'

/** A string that cannot be a key of the tree. */
export class InvalidKeyError extends Error {
  override name = 'InvalidKeyError'
  readonly key: string
  constructor(key: string) {
    super(`not a key of a repository: ${key.slice(0, 80)}`)
    this.key = key
  }
}

/** Characters, which are bytes, of a key. */
export const keyBytesMax = 1024

/** The highest layer that a SHA-256 digest can name. */
export const layerMax = 128

const KEY = /^[a-zA-Z0-9_~\-:.]+\/[a-zA-Z0-9_~\-:.]+$/

/**
 * Whether a string may be a key: a collection and a record key of the allowed characters, with a
 * slash between.
 */
export function isValidKey(key: string): boolean {
  return key.length <= keyBytesMax && KEY.test(key)
}

/**
 * The layer a key belongs to, 0 at the bottom: the pairs of zero bits that its SHA-256 begins with.
 */
export function layerOf(key: string): number {
  const digest = hash('sha256', key, 'latin1')
  let byte = 0
  while (digest.charCodeAt(byte) === 0) byte++
  return 4 * byte + ((Math.clz32(digest.charCodeAt(byte)) - 24) >> 1)
}

/** How many characters two keys have in common at their start. */
export function commonPrefixLength(a: string, b: string): number {
  const end = Math.min(a.length, b.length)
  let i = 0
  while (i < end && a.charCodeAt(i) === b.charCodeAt(i)) i++
  return i
}
