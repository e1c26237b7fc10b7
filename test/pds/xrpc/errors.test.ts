/**
 * What clients are told of what goes wrong inside: nothing of code, paths or tables, however it
 * comes to the mapping.
 */

import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import { connect } from 'node:net'
import { jsonToLex } from '@atproto/lex-json'
import { InvalidRequestError, UpstreamFailureError, XRPCError } from '@atproto/xrpc-server'
import Database from 'better-sqlite3'
import { describe, expect, test } from 'vitest'
import { DomainError } from '#platform/errors.ts'
import { PlcError } from '../../../pds/identity/plc.ts'
import { toXrpcError } from '../../../pds/xrpc/errors.ts'
import { rejection } from '../../support/pds.ts'

const thrownBy = (work: () => unknown): Promise<Error> => rejection((async () => await work())())
const nothing = undefined as unknown as { a: { b: number } & (() => void) & Iterable<number> }
const overflow = (): number => 1 + overflow()

/** Real ones: their texts are the engine's and the libraries' of today. */
const faults: Record<string, () => unknown> = {
  'an overflow of the stack': overflow,
  'a property of undefined': () => nothing.a,
  'a call of what is no function': () => (1 as unknown as () => void)(),
  'a spread of what is no list': () => [...(1 as unknown as Iterable<number>)],
  'an unknown name': () => new Function('return unknownName')(),
  'a length that cannot be': () => new Array(-1),
  'a bigint among numbers': () => 1n + (1 as unknown as bigint),
  'an argument that Node does not take': () => createHash('sha256').update(1 as unknown as string),
  'a file that is not there': () => stat('/nowhere/atoll/blocks'),
  'the same, synchronously': () => readFileSync('/nowhere/atoll/key.secret'),
  'a table that is not there': () => new Database(':memory:').prepare('SELECT * FROM account'),
  'a row that is there twice': () =>
    new Database(':memory:').exec('CREATE TABLE t (a UNIQUE); INSERT INTO t VALUES (1), (1)'),
  'a host that cannot be reached': () => once(connect(1, '127.0.0.1'), 'connect'),
}
/** How they come: bare, or in errors that repeat their texts. */
const ways: Record<string, (cause: Error) => unknown> = {
  bare: (cause) => cause,
  'from a validator': (cause) => new InvalidRequestError(cause.message, undefined, { cause }),
  'from a validator, with its class': (cause) => new InvalidRequestError(String(cause), undefined, { cause }),
  'in an error of ours': (cause) =>
    new DomainError('invalid', `Could not read it: ${cause.message}`, undefined, { cause }),
  'from another service': (cause) => new PlcError(cause.message, undefined, { cause }),
  twice: (cause) =>
    new UpstreamFailureError(cause.message, undefined, { cause: new Error(cause.message, { cause }) }),
}

describe.each(Object.entries(ways))('a fault that comes %s', (way, wrap) => {
  test.each(Object.entries(faults))('%s is not told', async (name, fail) => {
    const cause = await thrownBy(fail)
    const { statusCode, payload } = toXrpcError(wrap(cause))
    const isDeepInput = name === 'an overflow of the stack' && way.startsWith('from a validator')
    expect([statusCode, payload]).toEqual(
      isDeepInput
        ? [400, { error: 'InvalidRequest', message: 'The input is nested too deeply' }]
        : [500, { error: 'InternalServerError', message: 'Internal Server Error' }],
    )
  })
})

test('an error that helps the caller keeps its message', async () => {
  const badLink = await thrownBy(() => jsonToLex({ $link: 5 } as never, { strict: true }))
  const told = [
    new InvalidRequestError(badLink.message, undefined, { cause: badLink }),
    new DomainError('invalid', 'Invalid record at $.record.x: $type is a name'),
    new InvalidRequestError('Record/createdAt must be an valid atproto datetime'),
    new PlcError('the PLC directory could not be reached', undefined, { cause: await thrownBy(overflow) }),
    new XRPCError(413, 'The body is too large: this server takes 5 bytes at most'),
  ]
  for (const error of told) expect(toXrpcError(error).payload.message).toBe(error.message)
})
