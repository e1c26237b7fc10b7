/** The lexicon documents that are known here: the official ones, and Atoll's own in `lexicons/`. */
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { schemas } from '@atproto/api'
import type { LexiconDoc } from '@atproto/lexicon'

const FOLDER = path.resolve(import.meta.dirname, '../lexicons')

/** Those that `@atproto/api` brings. */
export const officialDocuments: readonly LexiconDoc[] = schemas

/** Every document, Atoll's own in the order of their files' names. */
export const documents: readonly LexiconDoc[] = [
  ...officialDocuments,
  ...readdirSync(FOLDER, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.json'))
    .sort()
    .map((name): LexiconDoc => JSON.parse(readFileSync(path.join(FOLDER, name), 'utf8'))),
]
