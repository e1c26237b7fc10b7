/** Every line of the page that says what the reference serves is answered for: here, or by a test that it names. */
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { root } from '../support/processes.ts'
import { hasShared, sharedPath } from '../support/shared.ts'
import { nsids } from './right-calls.ts'
import { oauthPages } from './scenes/oauth.ts'
import { pages } from './scenes/reading.ts'

/** Lines that are no method or page which the two servers are both asked for: the test, and a word of it. */
const elsewhere: Readonly<Record<string, readonly [test: string, word: string]>> = {
  'WS com.atproto.sync.subscribeRepos': ['test/conformance/reference.test.ts', 'the firehose'],
  'GET/HEAD/POST /xrpc/*': ['test/pds/proxy.test.ts', 'atproto-proxy'],
  'GET /account, /account/*': ['test/conformance/scenes/oauth.ts', '/account/reset-password'],
  'GET /tls-check?domain=': ['test/pds/operation.test.ts', '/tls-check'],
  'Refused for proxying': ['test/conformance/scenes/accounts.ts', 'vouching'],
  'Need a privileged token': ['test/conformance/scenes/accounts.ts', 'vouching'],
  'The next 21 use prefix': ['test/conformance/scenes/oauth.ts', '~api'],
}

const lines = hasShared ? linesOfPage() : []
/** The pages that both are asked for, by verb and path. */
const asked = new Set([...pages, ...oauthPages].map(({ key }) => key.split(' ').slice(0, 2).join(' ')))

/** The methods and routes of the page, each on its line. */
function linesOfPage(): string[] {
  const page = readFileSync(sharedPath('pds-surface.md'), 'utf8')
  const served = page.slice(
    page.indexOf('### com.atproto.admin'),
    page.indexOf('Not served by the reference'),
  )
  return served.split('\n').flatMap((line) => /^ *- (.+)$/.exec(line)?.[1] ?? [])
}

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

describe.skipIf(!hasShared)('the page of what the reference serves', () => {
  test('names as many methods as the reference has', () => {
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
