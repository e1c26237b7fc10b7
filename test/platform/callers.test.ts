/**
 * Who Express says that a request comes from is who limits count, whatever stands in the headers.
 */
import type { IncomingMessage } from 'node:http'
import express, { type Request } from 'express'
import { expect, test } from 'vitest'
import { callerOf, markCaller, trustOf } from '#platform/callers.ts'
import { unmapped } from '#platform/network-of.ts'
import { neighbours } from '#platform/trusted-proxies.ts'

const PROXIES = [...neighbours, '8.8.8.8']
const trust = trustOf(PROXIES)
const app = express().set('trust proxy', PROXIES)

const requestFrom = (remoteAddress: string | undefined, forwarded?: string): IncomingMessage =>
  ({ socket: { remoteAddress }, headers: { 'x-forwarded-for': forwarded } }) as never

/** Express's `request.ip`. */
function ipOf(request: IncomingMessage): string | undefined {
  const asExpress = Object.create(
    app.request,
    Object.getOwnPropertyDescriptors({ ...request, app }),
  ) as Request
  return asExpress.ip
}

test.each<[string | undefined, string?]>([
  ['203.0.113.9'],
  ['127.0.0.1'],
  ['::ffff:127.0.0.1', '203.0.113.9'],
  ['203.0.113.9', '1.1.1.1'],
  ['127.0.0.1', '1.1.1.1, 203.0.113.9'],
  ['127.0.0.1', '1.1.1.1, 203.0.113.9, 10.0.0.1'],
  ['127.0.0.1', '1.1.1.1,8.8.8.8,192.168.0.1'],
  ['8.8.8.8', '2001:db8::1'],
  ['127.0.0.1', '10.0.0.2, 10.0.0.1'],
  ['127.0.0.1', ' , ,'],
  ['127.0.0.1', ''],
  ['127.0.0.1', 'x'.repeat(1_000)],
  [undefined, '1.1.1.1'],
])('of a request from %s for %s', (remoteAddress, forwarded) => {
  const request = requestFrom(remoteAddress, forwarded)
  markCaller(request, trust)
  const { address, isMasked } = callerOf(request)
  expect(address).toBe(unmapped(ipOf(requestFrom(remoteAddress, forwarded)) ?? ''))
  const isNamed = forwarded !== undefined && /[^ ,]/.test(forwarded)
  expect(isMasked).toBe(!isNamed && remoteAddress === '127.0.0.1')
})

test.each<[string, string | undefined]>([
  ['1.1.1.1, 203.0.113.9, 10.0.0.1', '203.0.113.9'],
  ['unknown, ::ffff:999.1.1.1', undefined],
  [',,,', undefined],
])('what %s says is left in the headers as %s', (forwarded, left) => {
  const request = requestFrom('127.0.0.1', forwarded)
  request.headers['x-forwarded-port'] = '99999999'
  markCaller(request, trust)
  expect(request.headers).toEqual(left === undefined ? {} : { 'x-forwarded-for': left })
})

test('that nobody looked for is not made up', () => {
  expect(() => callerOf(requestFrom('203.0.113.9'))).toThrow()
})
