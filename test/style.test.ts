/** The language of the project: comments that fit a screen, and phrases that are not written. */
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { root } from './support/processes.ts'

const COMMENT_COLUMNS_MAX = 100

const filesOf = (folder: string, ending: RegExp): string[] =>
  readdirSync(path.join(root, folder), { recursive: true, encoding: 'utf8' })
    .map((name) => `${folder}/${name.split(path.sep).join('/')}`)
    .filter((name) => ending.test(name) && !name.includes('/vectors/') && !name.includes('/node_modules/'))

const read = (file: string): string => readFileSync(path.join(root, file), 'utf8')

const sources = ['protocol', 'platform', 'pds', 'feedgen', 'scripts'].flatMap((folder) =>
  filesOf(folder, /\.(?:ts|mjs)$/),
)
const published = [
  ...filesOf('lexicons', /\.json$/),
  ...filesOf('docs', /\.md$/),
  'README.md',
  'CONTRIBUTING.md',
  'pds/README.md',
  'feedgen/README.md',
  'test/README.md',
  'test/conformance/README.md',
]

/**
 * Lines of comments: those that begin with `//` or `/*`, or stand in a block. A URL may be longer.
 */
function longComments(file: string): string[] {
  let isBlock = false
  return read(file)
    .split('\n')
    .flatMap((line, i) => {
      const text = line.trim()
      const isComment = isBlock || text.startsWith('//') || text.startsWith('/*')
      if (text.startsWith('/*')) isBlock = true
      if (text.includes('*/')) isBlock = false
      const isLong = line.length > COMMENT_COLUMNS_MAX && !/https?:\/\/\S{40}|biome-ignore/.test(line)
      return isComment && isLong ? [`${file}:${i + 1}`] : []
    })
}

test(`comments have at most ${COMMENT_COLUMNS_MAX} columns`, () => {
  const files = [...sources, ...filesOf('test', /\.ts$/)]
  expect(files.flatMap(longComments)).toEqual([])
})

/** What is not written, and what is instead. */
const BANNED: readonly (readonly [phrase: RegExp, instead: string])[] = [
  [/\bwhoever\b/i, 'anyone who'],
  [/\bnobody[’']s\b/i, 'orphaned, no one’s'],
  [/\banew\b/i, 'again'],
  [/\btold of\b/i, 'emitted, notified'],
  [/\btaken in\b/i, 'matched'],
  [/\bpassed over\b/i, 'skipped, dropped'],
  [/\blet in\b/i, 'authorized'],
  [/\b(?:too dear|dearest)\b/i, 'too expensive'],
  [/\brubbish\b/i, 'malformed'],
  [/\bthe reference(?! PDS)\b(?! implementation)/i, '@atproto/pds'],
  [/\b(?:he|him|his)\b(?! *\.\w)/, 'they, them, their'],
]

test.each(BANNED)('no published text says %s', (phrase, instead) => {
  const found = published.flatMap((file) =>
    read(file)
      .split('\n')
      .flatMap((line, i) => (phrase.test(line) ? [`${file}:${i + 1}: ${line.trim()}`] : [])),
  )
  expect(found, `write: ${instead}`).toEqual([])
})
