/** What the documents say of the project is so: links, paths, commands, variables and examples. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { compile } from '../feedgen/algorithm/compile.ts'
import { warningsOf } from '../feedgen/algorithm/lint.ts'
import { readDefinition } from '../feedgen/algorithm/read.ts'
import { wholeOf } from '../feedgen/algorithm/short.ts'
import packageJson from '../package.json' with { type: 'json' }
import { parseJsonc } from '../scripts/atoll/feed/jsonc.ts'
import { drawDiagram } from '../scripts/diagram.ts'
import { root } from './support/processes.ts'

const documents = [
  'README.md',
  'CONTRIBUTING.md',
  'pds/README.md',
  'feedgen/README.md',
  'test/README.md',
  'test/conformance/README.md',
  ...readdirSync(path.join(root, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
].map((name) => ({ name, text: readFileSync(path.join(root, name), 'utf8') }))

const README_LINES_MAX = 120

test(`the README has at most ${README_LINES_MAX} lines`, () => {
  expect(documents[0]?.text.split('\n').length).toBeLessThanOrEqual(README_LINES_MAX)
})

test.each(documents)('links in $name lead somewhere', ({ name, text }) => {
  const links = [...text.matchAll(/\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)/g)]
  const broken = links.filter(([, to = '', anchor]) => {
    const file = to === '' ? name : path.posix.join(path.posix.dirname(name), to)
    if (!existsSync(path.join(root, file))) return true
    return anchor !== undefined && !anchorsOf(readFileSync(path.join(root, file), 'utf8')).includes(anchor)
  })
  expect(broken.map(([link]) => link)).toEqual([])
})

/** The anchors of a document's headings, as the usual hosts make them. */
function anchorsOf(text: string): string[] {
  return [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\w -]/g, '')
      .replaceAll(' ', '-'),
  )
}

/** Every file and folder of the project, from its root: `/pds/store/schema.ts`, `/pds/store/`. */
const places = ['docs', 'feedgen', 'lexicons', 'pds', 'platform', 'protocol', 'scripts', 'test'].flatMap(
  (top) => [
    `/${top}/`,
    ...readdirSync(path.join(root, top), { recursive: true, withFileTypes: true }).map((entry) => {
      const file = path.relative(root, path.join(entry.parentPath, entry.name))
      return `/${file}${entry.isDirectory() ? '/' : ''}`
    }),
  ],
)

test.each(documents)('files and folders named in $name exist', ({ text }) => {
  const named = [...text.matchAll(/`((?:[\w-]+\/)*[\w-]+(?:\.(?:ts|txt|svg)|\/))`/g)].map(
    ([, file]) => file as string,
  )
  expect(named.filter((file) => !places.some((place) => place.endsWith(`/${file}`)))).toEqual([])
})

test.each(documents)('scripts named in $name exist', ({ text }) => {
  const named = [...text.matchAll(/npm run ([\w:-]+)/g)].map(([, script]) => script as string)
  expect(named.filter((script) => !(script in packageJson.scripts))).toEqual([])
})

test('variables named in the documents are read', () => {
  const read = [
    'pds/config.ts',
    ...readdirSync(path.join(root, 'pds/config')).map((file) => `pds/config/${file}`),
    'feedgen/config.ts',
    'platform/log.ts',
    'scripts/environment.ts',
  ]
    .map((file) => readFileSync(path.join(root, file), 'utf8'))
    .join('\n')
  const named = documents.flatMap(({ text }) =>
    [...text.matchAll(/`((?:PDS|FEEDGEN|LOG)_[A-Z0-9_]*[A-Z0-9])`/g)].map(([, name]) => name as string),
  )
  expect(named.length).toBeGreaterThan(50)
  // Names that are put together where they are read.
  const isRead = (name: string) =>
    read.includes(name) ||
    read.includes(name.replace(/_(?:NETWORK_MAX|MAX|URL|DID)$/, '')) ||
    isLimit(name, read)
  expect([...new Set(named)].filter((name) => !isRead(name))).toEqual([])
})

function isLimit(name: string, read: string): boolean {
  const [, rest] = /^(?:PDS|FEEDGEN)_RATE_LIMIT_(.*)$/.exec(name) ?? []
  return rest !== undefined && read.includes(`'${rest}'`)
}

test('the definitions in docs/feeds.md are valid, and the linter has nothing to say', async () => {
  const text = documents.find(({ name }) => name === 'docs/feeds.md')?.text ?? ''
  const examples = [...text.matchAll(/```jsonc\n([\s\S]*?)```/g)].map(([, example]) => example as string)
  expect(examples.length).toBeGreaterThan(0)
  for (const example of examples) {
    const definition = { createdAt: '2026-01-01T00:00:00Z', ...(parseJsonc(example) as object) }
    const record = await wholeOf(definition, () => Promise.reject(new Error('names nobody')))
    expect(warningsOf(compile(readDefinition(record)).definition)).toEqual([])
  }
})

test('the picture in the README is drawn from its text', () => {
  const text = readFileSync(path.join(root, 'docs/one-post.txt'), 'utf8')
  const picture = readFileSync(path.join(root, 'docs/one-post.svg'), 'utf8')
  expect(drawDiagram(text)).toBe(picture)
  const rooms = [...text.matchAll(/^([\w/-]+) \|/gm)].map(([, room]) => room as string)
  const missing = rooms.filter(
    (room) => ![room, `${room}.ts`].some((file) => existsSync(path.join(root, file))),
  )
  expect(missing).toEqual([])
})
