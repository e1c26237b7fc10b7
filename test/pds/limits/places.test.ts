import { expect, test } from 'vitest'
import type { Caller } from '#platform/callers.ts'
import { networkOf } from '#platform/network-of.ts'
import { Places } from '../../../pds/limits/places.ts'

const caller = (address: string, isMasked = false): Caller => ({
  address,
  network: networkOf(address),
  isMasked,
})

test('places are bounded per network, and in all', () => {
  const places = new Places({ max: 4, networkMax: 2 })
  const [a, b] = [places.take(caller('2001:db8::1')), places.take(caller('2001:db8::2'))]
  expect([a, b].every((place) => place !== undefined)).toBe(true)
  expect(places.take(caller('2001:db8::3')), 'of the same network').toBeUndefined()
  expect(places.take(caller('192.0.2.1'))).toBeDefined()
  expect(places.take(caller('192.0.2.2'))).toBeDefined()
  expect(places.take(caller('192.0.2.3')), 'over all networks').toBeUndefined()
  a?.()
  a?.()
  expect(places.take(caller('2001:db8::3'))).toBeDefined()
  expect(places.take(caller('192.0.2.3')), 'one that is given back twice is one').toBeUndefined()
})

test('places are not bounded per network for exempt callers, or behind a proxy without x-forwarded-for', () => {
  const isExempt = ({ address }: Caller) => address === '192.0.2.1'
  const places = new Places({ max: 4, networkMax: 1, isExempt })
  const takers = [
    caller('127.0.0.1', true),
    caller('127.0.0.1', true),
    caller('192.0.2.1'),
    caller('192.0.2.1'),
  ]
  for (const taker of takers) expect(places.take(taker)).toBeDefined()
  expect(places.take(caller('127.0.0.1', true))).toBeUndefined()
})
