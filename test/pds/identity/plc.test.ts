/** A PLC directory that answers something else than it was asked. */
import { expect, test } from 'vitest'
import { generateKey } from '#protocol/keys.ts'
import { Plc, PlcError } from '../../../pds/identity/plc.ts'
import { toXrpcError } from '../../../pds/xrpc/errors.ts'
import { rejection } from '../../support/pds.ts'

const DID = 'did:plc:ewvi7nxzyoun6zhxrhs64oiz'

test.each([
  ['a page', '<html>Sign in to the network</html>'],
  ['nothing', ''],
  ['null', 'null'],
  ['a list', '[]'],
  ['another object', '{"status":"ok"}'],
  ['a document without services', '{"verificationMethods":{}}'],
])('%s is no identity, and no fault of this server', async (_, text) => {
  const plc = new Plc({
    url: 'https://plc.test',
    fetch: async () => new Response(text),
    rotationKey: generateKey('ES256K'),
  })
  for (const ask of [() => plc.data(DID), () => plc.updateHandle(DID, 'new.test')]) {
    const error = await rejection<Error>(ask())
    expect(error).toBeInstanceOf(PlcError)
    expect(toXrpcError(error)).toMatchObject({ statusCode: 502, payload: { error: 'UpstreamFailure' } })
  }
  expect(await plc.isTombstoned(DID)).toBe(false)
})
