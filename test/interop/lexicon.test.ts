/**
 * The vectors of lexicon documents and of records that they describe, checked by `@atproto/lexicon`
 * as the services do.
 */

import { readdirSync } from 'node:fs'
import { jsonToLex, Lexicons, parseLexiconDoc } from '@atproto/lexicon'
import { describe, expect, test } from 'vitest'
import { vectorJson, vectorPath } from '../support/vectors.ts'

interface DocumentVector {
  name: string
  lexicon: unknown
}

interface RecordVector {
  name: string
  rkey: string
  data: { $type: string }
}

/**
 * Where the library disagrees with a vector, and why it is left at that. A test fails when it
 * begins to agree.
 */
const knownDeviations = new Map<string, string>([
  [
    'lexicon-invalid: defined unknown',
    'a definition that is `unknown` by itself is read; official documents have none',
  ],
  ['record-data-invalid: blob too large', '@atproto/lexicon does not look at maxSize; the write path has to'],
  ['record-data-invalid: blob wrong type', '@atproto/lexicon does not look at accept; the write path has to'],
])

const folder = 'lexicon'
const load = <T>(name: string): T[] => vectorJson<T[]>(`${folder}/${name}.json`)
const verdicts = ['valid', 'invalid'] as const

describe('lexicon', () => {
  const catalog = new Lexicons()
  for (const file of readdirSync(vectorPath(`${folder}/catalog`))) {
    catalog.add(vectorJson(`${folder}/catalog/${file}`))
  }

  describe.each(verdicts)('%s documents', (verdict) => {
    test.each(load<DocumentVector>(`lexicon-${verdict}`))('$name', ({ name, lexicon }) => {
      const accepted = accepts(() => new Lexicons([parseLexiconDoc(lexicon)]))
      expect(accepted).toBe((verdict === 'valid') !== knownDeviations.has(`lexicon-${verdict}: ${name}`))
    })
  })

  describe.each(verdicts)('%s records', (verdict) => {
    test.each(load<RecordVector>(`record-data-${verdict}`))('$name', ({ name, data }) => {
      const accepted = accepts(() => catalog.assertValidRecord(data.$type, jsonToLex(data as never)))
      expect(accepted).toBe((verdict === 'valid') !== knownDeviations.has(`record-data-${verdict}: ${name}`))
    })
  })
})

function accepts(read: () => unknown): boolean {
  try {
    read()
    return true
  } catch {
    return false
  }
}
