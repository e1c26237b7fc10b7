/** The one loader of lexicons: every document in `lexicons/` is known to both services. */
import { readdirSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { documents } from '#platform/lexicon-documents.ts'
import { methodSchema, recordSchema } from '#platform/lexicons.ts'
import { endpoints as feedgenEndpoints } from '../../feedgen/xrpc/index.ts'
import { appViewEndpoints, endpoints } from '../../pds/xrpc/index.ts'
import { root } from '../support/processes.ts'

const known: ReadonlySet<string> = new Set(documents.map(({ id }) => id))

test('every file in lexicons/ is a document, named by its id', () => {
  const nsids = readdirSync(path.join(root, 'lexicons'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.json'))
    .map((name) => name.slice(0, -'.json'.length).replaceAll(path.sep, '.'))
  expect(nsids.length).toBeGreaterThan(10)
  expect(nsids.filter((nsid) => !known.has(nsid))).toEqual([])
})

test('every endpoint of both services is a method of a lexicon', () => {
  for (const nsid of Object.keys({ ...endpoints, ...appViewEndpoints, ...feedgenEndpoints }))
    expect(methodSchema(nsid).nsid).toBe(nsid)
})

test('records of official types are checked by their lexicon, others are left to their readers', () => {
  expect(recordSchema('app.bsky.feed.post')?.$type).toBe('app.bsky.feed.post')
  expect(known.has('social.atoll.feed.algorithm')).toBe(true)
  expect(recordSchema('social.atoll.feed.algorithm')).toBeUndefined()
  expect(recordSchema('app.bsky.feed.defs')).toBeUndefined()
})
