/** Attempts to sign in, by whatever name and from wherever. */
import { expect, test } from 'vitest'
import { isExceeded } from '#platform/limiter.ts'
import { networkOf } from '#platform/network-of.ts'
import { SignIns } from '../../../pds/limits/sign-ins.ts'

const limits = {
  signInsIn5Minutes: 3,
  signInsDaily: 100,
  networkSignInsIn5Minutes: 10,
  accountSignInsHourly: 5,
}
const NAMES = ['race.test', 'did:plc:race', 'race@mail.example']

function signIns() {
  const waits: number[] = []
  const counted = new SignIns(
    limits,
    (name) => (NAMES.includes(name) ? 7 : undefined),
    async (ms) => void waits.push(ms),
  )
  const attempt = async (name: string, address: string) =>
    !(await counted.count(name, { network: networkOf(address), isMasked: false })).some(isExceeded)
  return { attempt, waits }
}

test('sign-ins to one account are counted together, however its name is written', async () => {
  const { attempt } = signIns()
  for (const name of ['Race.test', 'DID:plc:RACE', '@race.TEST']) {
    expect(await attempt(name, '203.0.113.1')).toBe(true)
  }
  for (const name of [...NAMES, ' race.test ', 'RACE@mail.example']) {
    expect(await attempt(name, '203.0.113.1')).toBe(false)
  }
  expect(await attempt('race.test', '203.0.113.2'), 'the owner, from elsewhere').toBe(true)
})

test('sign-ins to unknown names are counted by name, and refused as those to accounts are', async () => {
  const { attempt } = signIns()
  const outcomes = async (name: string) => {
    const found = []
    for (let n = 0; n < 4; n++) found.push(await attempt(name, '203.0.113.1'))
    return found
  }
  expect(await outcomes('nobody.test')).toEqual([true, true, true, false])
  expect(await outcomes('race.test')).toEqual([true, true, true, false])
})

test('sign-ins from one network are bounded over all accounts', async () => {
  const { attempt } = signIns()
  for (let n = 0; n < 10; n++) expect(await attempt(`name${n}.test`, `2001:db8::${n}`)).toBe(true)
  expect(await attempt('another.test', '2001:db8::99')).toBe(false)
  expect(await attempt('another.test', '2001:db8:1::99')).toBe(true)
})

test('sign-ins to one account from everywhere wait longer and longer, and are never refused', async () => {
  const { attempt, waits } = signIns()
  for (let n = 0; n < 60; n++) expect(await attempt('race.test', `203.0.113.${n}`)).toBe(true)
  expect(waits).toHaveLength(55)
  expect(waits.slice(0, 2)).toEqual([100, 200])
  expect(Math.max(...waits)).toBe(5_000)
})
