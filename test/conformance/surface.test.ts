/** Every method and page of `@atproto/pds` is answered for: here, or by a test that it names. */
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { root } from '../support/processes.ts'
import { nsids } from './right-calls.ts'
import { oauthPages } from './scenes/oauth.ts'
import { pages } from './scenes/reading.ts'

/**
 * Lines that are no method or page which the two servers are both asked for: the test, and a word
 * of it.
 */
const elsewhere: Readonly<Record<string, readonly [test: string, word: string]>> = {
  'WS com.atproto.sync.subscribeRepos': ['test/conformance/reference.test.ts', 'the firehose'],
  'GET/HEAD/POST /xrpc/*': ['test/pds/proxy/proxy.test.ts', 'atproto-proxy'],
  'GET /account, /account/*': ['test/conformance/scenes/oauth.ts', '/account/reset-password'],
  'GET /tls-check?domain=': ['test/journeys/operation.test.ts', '/tls-check'],
}

/** The methods and pages of `@atproto/pds`, each on its line. */
const lines = readFileSync(path.join(import.meta.dirname, 'surface.txt'), 'utf8')
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#'))
/** The pages that both are asked for, by verb and path. */
const asked = new Set([...pages, ...oauthPages].map(({ key }) => key.split(' ').slice(0, 2).join(' ')))

function isAnsweredFor(line: string): boolean {
  const [verbs = '', name = ''] = line.split(' ')
  if (/^[a-z]+(\.[a-zA-Z]+){2,}$/.test(name) && nsids.includes(name)) return true
  const place = Object.keys(elsewhere).find((start) => line.startsWith(start))
  if (place !== undefined) return true
  const paths = name.startsWith('/')
    ? [name.replace(/\*$/, 'nothing.js')]
    : [`/@atproto/oauth-provider/~api/${name}`]
  return verbs.split('|').every((verb) => paths.every((path) => asked.has(`${verb} ${path}`)))
}

describe('what @atproto/pds serves', () => {
  test('names as many methods as @atproto/pds has', () => {
    const methods = lines.filter((line) => /^(GET|POST|WS) (com\.atproto|app\.bsky)\./.test(line))
    expect(methods).toHaveLength(78)
    expect(nsids).toHaveLength(77)
  })

  test.each(lines)('%s', (line) => {
    expect(isAnsweredFor(line)).toBe(true)
  })
})

test.each(Object.values(elsewhere))('%s speaks of %s', (file, word) => {
  expect(existsSync(path.join(root, file))).toBe(true)
  expect(readFileSync(path.join(root, file), 'utf8')).toContain(word)
})
