/** The `Range` header of a request. https://www.rfc-editor.org/rfc/rfc9110#name-range-requests */
import type { ByteRange } from '../blobs/files.ts'

const ONE_RANGE = /^bytes=(\d{0,15})-(\d{0,15})$/

/**
 * The one run of bytes that is asked for: undefined for all of them, also where the header is not
 * understood or asks for several runs; null when there is nothing in it.
 * @param size bytes there are
 */
export function parseRange(header: string | undefined, size: number): ByteRange | null | undefined {
  const [, first, last] = ONE_RANGE.exec(header ?? '') ?? []
  if (first === undefined || last === undefined || (first === '' && last === '')) return undefined
  if (first === '') {
    // The last bytes, that many of them.
    const count = Math.min(Number(last), size)
    return count === 0 ? null : { first: size - count, last: size - 1 }
  }
  if (last !== '' && Number(last) < Number(first)) return undefined
  if (Number(first) >= size) return null
  return { first: Number(first), last: Math.min(last === '' ? size : Number(last), size - 1) }
}
