/**
 * The network of an address: limits count callers by it, since a client with one IPv6 address has a
 * whole network of them.
 */
import { isIP } from 'node:net'

/** The network of what is no address. */
const NO_NETWORK = 'unknown'

const IPV6_GROUPS = 8
/** A /64 is what one subscriber has at least. */
const NETWORK_GROUPS = 4
const MAPPED = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i

/**
 * The address itself for IPv4, mapped into IPv6 or not; the /64 for IPv6; NO_NETWORK for what is no
 * address.
 */
export function networkOf(address: string | undefined): string {
  if (address === undefined) return NO_NETWORK
  const plain = unmapped(address)
  const kind = isIP(plain)
  if (kind === 4) return plain
  if (kind !== 6) return NO_NETWORK
  const groups = groupsOf(plain)
  const isMapped = groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff
  if (isMapped) return ipv4Of(groups[6]!, groups[7]!)
  const network = groups.slice(0, NETWORK_GROUPS).map((group) => group.toString(16))
  return `${network.join(':')}::/64`
}

/**
 * The IPv4 address in one that is mapped into IPv6, as a server on both hears of it; every other as
 * it is.
 */
export const unmapped = (address: string): string => MAPPED.exec(address)?.[1] ?? address

function groupsOf(address: string): number[] {
  const [head = '', tail] = address.replace(/%.*$/, '').split('::')
  const first = numbersOf(head)
  if (tail === undefined) return first
  const last = numbersOf(tail)
  return [...first, ...Array<number>(IPV6_GROUPS - first.length - last.length).fill(0), ...last]
}

function numbersOf(part: string): number[] {
  if (part === '') return []
  return part.split(':').flatMap((group) => {
    if (!group.includes('.')) return Number.parseInt(group, 16)
    const [a = 0, b = 0, c = 0, d = 0] = group.split('.').map(Number)
    return [a * 256 + b, c * 256 + d]
  })
}

const ipv4Of = (high: number, low: number): string => [high >> 8, high & 255, low >> 8, low & 255].join('.')
