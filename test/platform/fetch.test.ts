import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, onTestFinished, test } from 'vitest'
import { guardedFetch, publicLookup } from '#platform/fetch.ts'

async function serve(listener: RequestListener) {
  let connections = 0
  const server = createServer(listener).on('connection', () => connections++)
  await once(server.listen(0, '127.0.0.1'), 'listening')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return { port: (server.address() as AddressInfo).port, connections: () => connections }
}

describe('a guarded fetch', () => {
  test('fetches from this machine where that is allowed', async () => {
    const { port } = await serve((_, response) => response.end('hello'))
    const response = await guardedFetch({ allowPrivate: true })(`http://127.0.0.1:${port}/`)
    expect(await response.text()).toBe('hello')
  })

  test('refuses private addresses, by any name, before it connects', async () => {
    const { port, connections } = await serve((_, response) => response.end('secret'))
    const fetch = guardedFetch({ allowPrivate: false })
    const urls = [
      `http://127.0.0.1:${port}/`,
      `https://127.0.0.1:${port}/`,
      'https://127.0.0.1/',
      'https://localhost/',
      'https://[::1]/',
      'https://[::ffff:127.0.0.1]/',
      'https://2130706433/',
      'https://10.0.0.1/',
      'https://169.254.169.254/latest/meta-data',
      'https://intranet/',
      'file:///etc/passwd',
      'data:text/plain,x',
    ]
    for (const url of urls) await expect(fetch(url), url).rejects.toThrow()
    expect(connections()).toBe(0)
  })

  test('connects to the private host and port that the operator names, and to no other', async () => {
    const named = await serve((request, response) => {
      if (request.url === '/') response.end('hello')
      else response.writeHead(302, { location: other }).end()
    })
    const elsewhere = await serve((_, response) => response.end('secret'))
    const other = `http://127.0.0.1:${elsewhere.port}/`
    const url = `http://127.0.0.1:${named.port}`
    for (const trusted of [url, `ws://127.0.0.1:${named.port}/xrpc/subscribe`]) {
      const fetch = guardedFetch({ allowPrivate: false, trusted: [trusted] })
      expect(await (await fetch(`${url}/`)).text()).toBe('hello')
      expect(await (await fetch(new Request(`${url}/`))).text()).toBe('hello')
      await expect(fetch(`${url}/away`, { redirect: 'follow' })).rejects.toThrow()
      for (const refused of [other, `https://127.0.0.1:${named.port}/`, `http://localhost:${named.port}/`])
        await expect(fetch(refused), refused).rejects.toThrow()
    }
    expect(elsewhere.connections()).toBe(0)
  })

  test('follows no redirect', async () => {
    const { port } = await serve((request, response) => {
      if (request.url === '/') response.writeHead(302, { location: '/elsewhere' }).end()
      else response.end('elsewhere')
    })
    const fetch = guardedFetch({ allowPrivate: true })
    await expect(fetch(`http://127.0.0.1:${port}/`)).rejects.toThrow()
    const followed = await fetch(`http://127.0.0.1:${port}/`, { redirect: 'follow' })
    expect(await followed.text()).toBe('elsewhere')
  })

  test('aborts a response over the size limit, with or without content-length', async () => {
    const { port } = await serve((request, response) => {
      if (request.url === '/said') response.setHeader('content-length', 2000)
      response.write('x'.repeat(1000))
      response.end('x'.repeat(1000))
    })
    const fetch = guardedFetch({ allowPrivate: true, responseBytesMax: 1999 })
    const read = async (path: string) => (await fetch(`http://127.0.0.1:${port}${path}`)).text()
    await expect(read('/said')).rejects.toThrow()
    await expect(read('/unsaid')).rejects.toThrow()
    const larger = guardedFetch({ allowPrivate: true, responseBytesMax: 2000 })
    expect(await (await larger(`http://127.0.0.1:${port}/unsaid`)).text()).toHaveLength(2000)
  })

  test('aborts a response that does not begin or does not end', async () => {
    const { port } = await serve((request, response) => {
      if (request.url === '/starts') response.write('x')
    })
    const fetch = guardedFetch({ allowPrivate: true, timeoutMs: 50 })
    const read = async (path: string) => (await fetch(`http://127.0.0.1:${port}${path}`)).text()
    await expect(read('/')).rejects.toThrow()
    await expect(read('/starts')).rejects.toThrow()
  })
})

describe('the DNS lookup for connections made without fetch', () => {
  test('refuses addresses that are not public, written out or behind a name', async () => {
    for (const url of ['wss://127.0.0.1/', 'ws://10.0.0.1:99/', 'wss://[::1]/', 'wss://192.168.1.1/'])
      expect(() => publicLookup(url), url).toThrow(TypeError)
    const lookup = publicLookup('wss://localhost/')
    const error = await new Promise((resolve) => lookup('localhost', {}, resolve))
    expect(error).toBeInstanceOf(Error)
  })
})
