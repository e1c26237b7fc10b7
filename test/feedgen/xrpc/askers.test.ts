/** Callers pay for the time that their questions take. */
import { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import { expect, test } from 'vitest'
import { Askers, PAGE_HEADER } from '../../../feedgen/xrpc/askers.ts'

const from = (ip: string, headers = {}) =>
  Object.assign(new IncomingMessage(new Socket()), { ip, headers }) as IncomingMessage & { ip: string }
const ask = (askers: Askers, request: ReturnType<typeof from>) =>
  askers.of(request, new ServerResponse(request), undefined)

test('a network that used up its computing time has to wait, and regains it over time', () => {
  let now = 0
  const askers = new Askers(1000, () => now)
  ask(askers, from('2001:db8::1')).used?.(600)
  ask(askers, from('2001:db8::2')).used?.(600)
  // Another address of the same network.
  expect(() => ask(askers, from('2001:db8::3'))).toThrow('more time')
  ask(askers, from('2001:db8:0:1::1')).used?.(1)
  ask(askers, from('192.0.2.1'))
  now += 12_001
  ask(askers, from('2001:db8::3')).used?.(0)
  expect(() => ask(askers, from('2001:db8::3'))).not.toThrow()
})

test('callers beyond the cache start with a fresh budget, and the cache is bounded', () => {
  const askers = new Askers(1000, () => 0)
  const nth = (n: number) => `10.${n >> 16}.${(n >> 8) & 255}.${n & 255}`
  for (let n = 0; n <= 10_000; n++) askers.charge(nth(n), 2000)
  expect(() => ask(askers, from(nth(0)))).not.toThrow()
  expect(() => ask(askers, from(nth(10_000)))).toThrow('more time')
})

test('a page names itself in a header of at most 64 characters', () => {
  const askers = new Askers()
  expect(ask(askers, from('192.0.2.1', { [PAGE_HEADER]: 'tab-1' }))).toMatchObject({
    page: 'tab-1',
    caller: '192.0.2.1',
  })
  expect(ask(askers, from('192.0.2.1')).page).toBeUndefined()
  expect(() => ask(askers, from('192.0.2.1', { [PAGE_HEADER]: 'x'.repeat(65) }))).toThrow()
})

test('a request whose caller disconnects is cancelled', () => {
  const request = from('192.0.2.1')
  const response = new ServerResponse(request)
  const { signal } = new Askers().of(request, response, undefined)
  expect(signal?.aborted).toBe(false)
  response.emit('close')
  expect(signal?.aborted).toBe(true)
})
