/** Atoll's own lexicon documents, beside the official ones. */
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { schemas } from '@atproto/api'
import { type LexiconDoc, Lexicons } from '@atproto/lexicon'

const folder = path.resolve(import.meta.dirname, '../../lexicons')

/** All documents that requests, answers and records here are checked against. */
export const documents: readonly LexiconDoc[] = [
  ...schemas,
  ...readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.json'))
    .sort()
    .map((name): LexiconDoc => JSON.parse(readFileSync(path.join(folder, name), 'utf8'))),
]

export const lexicons = new Lexicons(documents)
