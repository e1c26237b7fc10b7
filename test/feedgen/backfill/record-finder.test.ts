/** Whether records exist, as their owners' servers say. */
import { expect, test } from 'vitest'
import { NotThereError, ServerError } from '../../../feedgen/backfill/pds-client.ts'
import { RecordFinder } from '../../../feedgen/backfill/record-finder.ts'
import { UnknownAuthorError } from '../../../feedgen/identity/identity-cache.ts'

const nobody = (did: string) => new ServerError('no server is known', { cause: new UnknownAuthorError(did) })

test.for<[string, () => unknown, string, string]>([
  ['a record that is there', () => ({ path: 'x' }), 'did:plc:a', 'there'],
  ['a record that is not', () => null, 'did:plc:a', 'missing'],
  ['a repository that is gone', () => new NotThereError('RepoNotFound'), 'did:plc:a', 'missing'],
  ['a server that is down', () => new ServerError('it does not answer'), 'did:plc:a', 'unknown'],
  ['a DID that the directory has not', () => nobody('did:plc:a'), 'did:plc:a', 'missing'],
  ['a DID whose host is out of reach', () => nobody('did:web:a.test'), 'did:web:a.test', 'unknown'],
])('%s', async ([, answer, did, expected]) => {
  let asked = 0
  const { find } = new RecordFinder({
    servers: {
      async record() {
        asked++
        const given = answer()
        if (given instanceof Error) throw given
        return given as never
      },
    },
  })
  const reference = { did, collection: 'app.bsky.graph.list', rkey: 'l', path: '', what: '' }
  expect(await find(reference)).toBe(expected)
  expect(await find(reference)).toBe(expected)
  expect(asked).toBe(expected === 'unknown' ? 2 : 1)
})
