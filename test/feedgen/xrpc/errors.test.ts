/** What clients of the feed generator are told when something goes wrong inside. */
import type { AddressInfo } from 'node:net'
import { InvalidRequestError } from '@atproto/xrpc-server'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { DomainError } from '#platform/errors.ts'
import type { Services } from '../../../feedgen/services.ts'
import { createXrpc } from '../../../feedgen/xrpc/index.ts'

const fault = Object.assign(new Error("ENOENT: no such file, open '/srv/atoll/index'"), { code: 'ENOENT' })

/** What the services fail with, by the feed that is asked for. */
const failures = new Map<string, Error>([
  ['a', fault],
  ['b', new InvalidRequestError(fault.message, undefined, { cause: fault })],
  ['c', new DomainError('invalid', `cannot be read: ${fault.message}`, undefined, { cause: fault })],
  ['d', new DomainError('rateLimited', 'too many are asked already')],
])
const uriOf = (name: string) => `at://did:plc:ewvi7nxzyoun6zhxrhs64oiz/app.bsky.feed.generator/${name}`

let server: ReturnType<ReturnType<typeof createXrpc>['router']['listen']>
beforeAll(() => {
  const inquiries = {
    algorithm(uri: string): never {
      throw failures.get(uri.split('/').at(-1) ?? '')
    },
  }
  server = createXrpc({ inquiries } as unknown as Services).router.listen(0)
})
afterAll(() => server?.close())

async function ask(feed: string) {
  const { port } = server.address() as AddressInfo
  const path = `/xrpc/social.atoll.feed.getAlgorithm?feed=${encodeURIComponent(uriOf(feed))}`
  const response = await fetch(`http://localhost:${port}${path}`)
  return { status: response.status, body: await response.json() }
}

test.each(['a', 'b', 'c'])('a system error is answered without its message: %s', async (feed) => {
  expect(await ask(feed)).toEqual({
    status: 500,
    body: { error: 'InternalServerError', message: 'Internal Server Error' },
  })
})

test('a DomainError is answered by its kind', async () => {
  expect(await ask('d')).toEqual({
    status: 429,
    body: { error: 'RateLimitExceeded', message: 'too many are asked already' },
  })
})
