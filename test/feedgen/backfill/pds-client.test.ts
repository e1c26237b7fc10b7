/**
 * Servers of accounts are strangers: whatever one answers, there is an error that says so, and an
 * end.
 */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, onTestFinished, test } from 'vitest'
import { readCar, writeCar } from '#protocol/car.ts'
import { encode } from '#protocol/cbor.ts'
import { cidForCbor, formatCid } from '#protocol/cid.ts'
import { generateKey, parseDidKey } from '#protocol/keys.ts'
import { NotThereError, repoBytesMax, ServerError, Servers } from '../../../feedgen/backfill/pds-client.ts'
import { Author } from '../../support/author.ts'
import { rejection } from '../../support/pds.ts'

type Answer = (request: { method: string; params: URLSearchParams }, response: ServerResponse) => void

/** A server that answers as it is told, and those who read from it. */
async function stage(answer: Answer, { allowPrivate = true } = {}) {
  const alice = new Author()
  const server = createServer((request: IncomingMessage, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://server')
    answer({ method: pathname.slice('/xrpc/'.length), params: searchParams }, response)
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const servers = new Servers({
    allowPrivate,
    authors: { server: async () => url, refresh: async () => parseDidKey(alice.key.did) },
  })
  return { alice, servers }
}

const json = (response: ServerResponse, body: unknown, status = 200) => {
  response.statusCode = status
  response.setHeader('content-type', 'application/json')
  response.end(JSON.stringify(body))
}
const POST = 'app.bsky.feed.post'
const value = { $type: POST, text: 'x', createdAt: '2026-01-01T00:00:00Z' }
const cid = formatCid(cidForCbor(encode(value)))

describe('a page of records', () => {
  test('has those that are what they say they are', async () => {
    const { alice, servers } = await stage((_, response) => {
      const uri = (name: string) => `at://${alice.did}/${POST}/${name}`
      json(response, {
        records: [
          { uri: uri('good'), cid, value },
          { uri: uri('other'), cid, value: { ...value, text: 'y' } },
          { uri: uri('fraction'), cid, value: { ...value, n: 0.5 } },
          { uri: `at://did:plc:somebody/${POST}/else`, cid, value },
          { uri: `at://${alice.did}/app.bsky.feed.like/type`, cid, value },
          { uri: uri('nocid'), value },
          null,
        ],
        cursor: 'next',
      })
    })
    const { records, cursor } = await servers.page(alice.did, POST)
    expect(records.map(({ path }) => path)).toEqual([`${POST}/good`])
    expect(cursor).toBe('next')
    // The same cursor again, and a page with nothing on it, are the end.
    expect((await servers.page(alice.did, POST, 'next')).cursor).toBeUndefined()
  })

  test.for<{ name: string; answer: Answer; is: typeof ServerError | typeof NotThereError }>([
    { name: 'an error', answer: (_, response) => json(response, { error: 'Oops' }, 500), is: ServerError },
    { name: 'not JSON', answer: (_, response) => response.end('<html>'), is: ServerError },
    { name: 'a text', answer: (_, response) => json(response, 'x'), is: ServerError },
    { name: 'no records', answer: (_, response) => json(response, {}), is: ServerError },
    {
      name: 'a redirect',
      answer: (_, response) => response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end(),
      is: ServerError,
    },
    {
      name: 'more than it may',
      answer: (_, response) => json(response, { records: [], junk: 'x'.repeat(9 * 1024 * 1024) }),
      is: ServerError,
    },
    {
      name: 'that the account is gone',
      answer: (_, response) => json(response, { error: 'RepoTakendown' }, 400),
      is: NotThereError,
    },
  ])('from a server that answers with $name is an error', async ({ answer, is }) => {
    const { alice, servers } = await stage(answer)
    expect(await rejection(servers.page(alice.did, POST))).toBeInstanceOf(is)
  })

  test('is not asked for at a private address', async () => {
    let asked = 0
    const { alice, servers } = await stage((_, response) => json(response, { records: [], n: ++asked }), {
      allowPrivate: false,
    })
    expect(await rejection(servers.page(alice.did, POST))).toBeInstanceOf(ServerError)
    expect(asked).toBe(0)
  })
})

test('a PDS client returns null for a missing record', async () => {
  const { alice, servers } = await stage((_, response) => json(response, { error: 'RecordNotFound' }, 400))
  expect(await servers.record(alice.did, `${POST}/3k`)).toBeNull()
})

test.each([
  ['nothing', {}],
  ['another record', { uri: `at://did:plc:another/${POST}/3k`, cid, value }],
  ['something else than its CID names', { uri: 'URI', cid, value: { ...value, text: 'y' } }],
])('an answer with %s does not say that there is no record', async (_, body) => {
  const { alice, servers } = await stage((_, response) =>
    json(response, { ...body, ...('uri' in body && body.uri === 'URI' && { uri: alice.uri(`${POST}/3k`) }) }),
  )
  expect(await rejection(servers.record(alice.did, `${POST}/3k`))).toBeInstanceOf(ServerError)
})

describe('a repository', () => {
  const first = (alice: Author) =>
    alice.commit({ [`${POST}/3kaaaaaaaaaaa`]: { text: 'x' }, 'app.bsky.feed.like/3k': { n: 1 } })

  test('gives its records of the kinds that are asked for', async () => {
    const { alice, servers } = await stage((_, response) => response.end(event.blocks))
    const event = first(alice)
    const repo = await servers.repo(alice.did, [POST])
    expect(repo).toMatchObject({ rev: event.rev, records: [{ path: `${POST}/3kaaaaaaaaaaa` }] })
  })

  test('over the size limit is refused', async () => {
    const block = encode({ zeros: Buffer.alloc(1024 * 1024) })
    const { alice, servers } = await stage((_, response) => {
      response.write(writeCar(cidForCbor(block), []))
      const one = writeCar(null, [[cidForCbor(block), block]]).subarray(writeCar(null, []).length)
      for (let bytes = 0; bytes <= repoBytesMax; bytes += one.length) response.write(one)
      response.end()
    })
    const error = await rejection<Error>(servers.repo(alice.did, [POST]))
    expect(error).toBeInstanceOf(ServerError)
    expect(error.message).toBe('the repository came only in part')
  })

  test.for<{ name: string; bytes(alice: Author): Uint8Array }>([
    { name: 'is no CAR file', bytes: () => Buffer.from('rubbish') },
    { name: 'is cut off', bytes: (alice) => first(alice).blocks.subarray(0, -10) },
    {
      name: 'another signed',
      bytes(alice) {
        alice.key = generateKey()
        const { blocks } = first(alice)
        alice.key = generateKey()
        return blocks
      },
    },
    { name: 'is another’s', bytes: () => first(new Author()).blocks },
    {
      name: 'lacks a block',
      bytes(alice) {
        const event = first(alice)
        const { blocks } = readCar(event.blocks)
        const record = event.ops.find(({ path }) => path.startsWith(POST))!
        blocks.delete(record.cid!)
        return writeCar(event.commit, blocks)
      },
    },
  ])('that $name is refused', async ({ bytes }) => {
    let body: Uint8Array = Buffer.alloc(0)
    const { alice, servers } = await stage((_, response) => response.end(body))
    body = bytes(alice)
    expect(await rejection(servers.repo(alice.did, [POST]))).toBeInstanceOf(ServerError)
  })
})
