/**
 * The domain's errors on the wire: the status of each kind, names, texts, and what is never told.
 */
import { expect, test } from 'vitest'
import { DomainError, type ErrorKind, RelayedError } from '#platform/errors.ts'
import { toXrpcError } from '#platform/xrpc-errors.ts'

const WIRE: Record<ErrorKind, [status: number, name: string]> = {
  invalid: [400, 'InvalidRequest'],
  notFound: [400, 'InvalidRequest'],
  conflict: [400, 'InvalidRequest'],
  unauthenticated: [401, 'AuthenticationRequired'],
  forbidden: [403, 'Forbidden'],
  tooLarge: [413, 'PayloadTooLarge'],
  rateLimited: [429, 'RateLimitExceeded'],
  unavailable: [503, 'NotEnoughResources'],
  outOfSpace: [507, 'InsufficientStorage'],
  upstreamFailed: [502, 'UpstreamFailure'],
  timedOut: [504, 'UpstreamTimeout'],
}

const onWire = (error: unknown) => {
  const { statusCode, payload } = toXrpcError(error)
  return [statusCode, payload.error, payload.message]
}

test.each(Object.entries(WIRE))('an error of kind %s has its status', (kind, [status, name]) => {
  // XRPC has no name for 507: those who throw it give one.
  const code = kind === 'outOfSpace' ? name : undefined
  expect(onWire(new DomainError(kind as ErrorKind, 'why', code))).toEqual([status, name, 'why'])
})

test('a code is the name on the wire, in subclasses too', () => {
  class Lost extends DomainError {}
  expect(onWire(new Lost('notFound', 'no such cat', 'CatNotFound'))).toEqual([
    400,
    'CatNotFound',
    'no such cat',
  ])
})

test('an upstream 4xx keeps its status, and an upstream 5xx becomes UpstreamFailure', () => {
  expect(onWire(new RelayedError(418, 'short and stout', 'Teapot'))).toEqual([
    418,
    'Teapot',
    'short and stout',
  ])
  expect(onWire(new RelayedError(500, 'oops'))).toEqual([502, 'UpstreamFailure', 'oops'])
})

test('an error that is no DomainError becomes InternalServerError without its message', () => {
  expect(onWire(new Error('at /srv/atoll'))).toEqual([500, 'InternalServerError', 'Internal Server Error'])
  const cause = Object.assign(new Error('ENOENT: /srv/atoll'), { code: 'ENOENT' })
  const told = new DomainError('invalid', `cannot read it: ${cause.message}`, undefined, { cause })
  expect(onWire(told)).toEqual([500, 'InternalServerError', 'Internal Server Error'])
})
