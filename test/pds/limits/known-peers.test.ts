import { expect, test } from 'vitest'
import { KnownPeers } from '../../../pds/limits/known-peers.ts'

test('known peers are the addresses of their host names, also while DNS fails', async () => {
  let addresses: Record<string, string[]> = { 'one.test': ['203.0.113.1', '2001:db8:1::5'] }
  const warned: unknown[] = []
  const log = { warn: (fields: { host: string }) => void warned.push(fields.host) }
  using peers = new KnownPeers(['https://one.test', 'https://two.test/path'], log as never, async (host) => {
    const found = addresses[host]
    if (found === undefined) throw new Error('no such name')
    return found
  })
  expect(peers.has('203.0.113.1'), 'before the answer').toBe(false)
  await peers.refresh()
  expect([peers.has('203.0.113.1'), peers.has('2001:db8:1:0::/64'), peers.has('203.0.113.2')]).toEqual([
    true,
    true,
    false,
  ])
  expect(new Set(warned), 'the operator is told').toEqual(new Set(['two.test']))
  addresses = { 'two.test': ['203.0.113.2'] }
  await peers.refresh()
  expect([peers.has('203.0.113.1'), peers.has('203.0.113.2')]).toEqual([true, true])
})
