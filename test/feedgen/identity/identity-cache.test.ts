/** What a directory's answer says of a DID, and what says nothing of it. */
import { expect, test } from 'vitest'
import {
  AuthorKeys,
  DirectoryDownError,
  UnknownAuthorError,
} from '../../../feedgen/identity/identity-cache.ts'

const did = 'did:plc:6fcm7ff3wkzrsnh3gjbncv2f'
const keysWhere = (status: number) =>
  new AuthorKeys({ plcUrl: 'https://plc.test', fetch: async () => new Response('{}', { status }) })

test.each([400, 404, 410])('a directory that answers %i knows no such author', async (status) => {
  await expect(keysWhere(status).get(did)).rejects.toThrow(UnknownAuthorError)
})

test.each([401, 403, 407, 429, 451, 500, 503])(
  'an answer with %i is of somebody before the directory',
  async (status) => {
    await expect(keysWhere(status).get(did)).rejects.toThrow(DirectoryDownError)
  },
)
