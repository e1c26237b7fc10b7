/**
 * Who may import whom: the house's plan as data, checked against every import in the sources, types
 * included.
 */
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'

const root = path.resolve(import.meta.dirname, '..')

const store = ['protocol', 'platform', 'pds/store']
const repo = [...store, 'pds/firehose', 'pds/blobs', 'pds/limits']
const accounts = [...repo, 'pds/repo', 'pds/identity', 'pds/mail']
const auth = [...store, 'pds/identity', 'pds/accounts']
const shared = ['protocol', 'platform']

/**
 * For each folder (or file at a service's root) what it may import besides itself. A folder that is
 * not here may not exist.
 */
const mayImport: Record<string, readonly string[]> = {
  protocol: [],
  platform: ['protocol'],
  'pds/config.ts': ['platform', 'pds/config', 'package.json'],
  'pds/config': ['platform'],
  'pds/store': ['protocol', 'platform'],
  'pds/mail': store,
  'pds/identity': store,
  'pds/limits': ['platform'],
  'pds/firehose': [...store, 'pds/limits'],
  'pds/blobs': [...store, 'pds/limits'],
  'pds/repo': repo,
  'pds/accounts': accounts,
  'pds/auth': auth,
  'pds/oauth': [...auth, 'pds/auth', 'pds/limits', 'pds/repo'],
  'pds/proxy': [...store, 'pds/identity', 'pds/auth', 'pds/repo', 'pds/accounts'],
  'pds/admin': [...accounts, 'pds/accounts'],
  // Endpoints speak to services and know the domain's errors; rows and transactions are none of
  // theirs.
  'pds/xrpc': [
    'protocol',
    'platform',
    'pds/services.ts',
    'pds/accounts',
    'pds/auth',
    'pds/blobs',
    'pds/identity',
    'pds/limits',
    'pds/mail',
    'pds/proxy',
    'pds/repo',
  ],
  // Pages, as endpoints, speak to services.
  'pds/pages': ['platform', 'pds/services.ts', 'pds/accounts', 'pds/limits', 'pds/oauth'],
  'pds/services.ts': [
    'pds/config.ts',
    'pds/accounts',
    'pds/admin',
    'pds/auth',
    'pds/blobs',
    'pds/firehose',
    'pds/identity',
    'pds/limits',
    'pds/proxy',
    'pds/mail',
    'pds/oauth',
    'pds/repo',
  ],
  'pds/routes.ts': ['platform', 'pds/services.ts', 'pds/accounts'],
  'pds/http.ts': [...shared, 'pds'],
  'pds/wiring': [...shared, 'pds'],
  'pds/pds.ts': [...shared, 'pds'],
  'pds/main.ts': ['pds/config.ts', 'pds/config', 'pds/pds.ts', 'platform', 'pds/repo'],

  'feedgen/config.ts': ['platform'],
  'feedgen/identity': shared,
  // The language and the engine say what they ask of an index, and know none.
  'feedgen/algorithm': shared,
  'feedgen/engine': [...shared, 'feedgen/algorithm'],
  'feedgen/index': [...shared, 'feedgen/algorithm', 'feedgen/engine'],
  'feedgen/evaluator-worker.ts': ['feedgen/algorithm', 'feedgen/engine', 'feedgen/index'],
  'feedgen/feeds': [...shared, 'feedgen/algorithm', 'feedgen/engine', 'feedgen/index'],
  'feedgen/firehose': [...shared, 'feedgen/algorithm', 'feedgen/identity', 'feedgen/index'],
  'feedgen/backfill': [
    ...shared,
    'feedgen/algorithm',
    'feedgen/engine',
    'feedgen/firehose',
    'feedgen/identity',
    'feedgen/index',
  ],
  'feedgen/xrpc': [...shared, 'feedgen/services.ts', 'feedgen/algorithm', 'feedgen/engine', 'feedgen/feeds'],
  'feedgen/pages': [...shared, 'feedgen/services.ts', 'feedgen/feeds'],
  'feedgen/services.ts': ['feedgen', ...shared],
  'feedgen/feedgen.ts': ['feedgen', ...shared, 'package.json'],
  'feedgen/main.ts': ['feedgen/config.ts', 'feedgen/feedgen.ts', 'platform'],
}

interface Import {
  readonly from: string
  readonly to: string
}

const sources = ['protocol', 'platform', 'pds', 'feedgen'].flatMap((folder) =>
  readdirSync(path.join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => `${folder}/${name}`),
)

const imports: Import[] = sources.flatMap((from) => {
  const text = readFileSync(path.join(root, from), 'utf8')
  const specifiers = [...text.matchAll(/(?:\bfrom|\bimport)\s*\(?\s*'([^']+)'/g)].map(
    (match) => match[1] as string,
  )
  return specifiers.flatMap((specifier) => {
    const target = specifier.startsWith('#')
      ? specifier.slice(1)
      : specifier.startsWith('.')
        ? path.posix.join(path.posix.dirname(from), specifier)
        : undefined
    return target === undefined ? [] : [{ from, to: target }]
  })
})

/**
 * The row of the table that a file stands in: its folder, or the file itself at a service's root.
 */
const rowOf = (file: string): string =>
  /^(protocol|platform)\//.test(file) ? (file.split('/')[0] as string) : file.split('/').slice(0, 2).join('/')

const isWithin = (file: string, place: string): boolean => file === place || file.startsWith(`${place}/`)

test('every import is one that the plan allows', () => {
  expect(imports.length).toBeGreaterThan(100)
  const violations = imports.filter(({ from, to }) => {
    const row = rowOf(from)
    return !isWithin(to, row) && !(mayImport[row] ?? []).some((place) => isWithin(to, place))
  })
  expect(violations).toEqual([])
})

test('every folder has its place in the plan, and every place exists', () => {
  const rows = new Set(sources.map(rowOf))
  expect([...rows].filter((row) => !(row in mayImport))).toEqual([])
  expect(Object.keys(mayImport).filter((row) => !rows.has(row))).toEqual([])
})

test('imports make no circles', () => {
  const next = Map.groupBy(imports, ({ from }) => from)
  const done = new Set<string>()
  const circles: string[] = []
  const visit = (file: string, trail: readonly string[]): void => {
    if (trail.includes(file)) circles.push([...trail.slice(trail.indexOf(file)), file].join(' -> '))
    if (done.has(file) || trail.includes(file)) return
    for (const { to } of next.get(file) ?? []) visit(to, [...trail, file])
    done.add(file)
  }
  for (const file of sources) visit(file, [])
  expect(circles).toEqual([])
})

test('nothing is without a limit: no number here is infinite', () => {
  const endless = sources.filter((file) =>
    /\bInfinity\b|\b(POSITIVE|NEGATIVE)_INFINITY\b/.test(readFileSync(path.join(root, file), 'utf8')),
  )
  expect(endless).toEqual([])
})

const LINES_MAX = 350
/** Files that are tables, a row after the other: they are as long as what they list. */
const TABLES = ['pds/store/migrations.ts']
/** Files that still hold more than one noun. */
const TO_BE_SPLIT = [
  'feedgen/algorithm/lint.ts',
  'feedgen/algorithm/rule.ts',
  'feedgen/engine/evaluate.ts',
  'feedgen/index/read/queries.ts',
  'feedgen/index/write/event-batch.ts',
]

test(`no source file is above ${LINES_MAX} lines, but tables`, () => {
  const lines = (file: string) => readFileSync(path.join(root, file), 'utf8').trimEnd().split('\n').length
  const exempt = new Set([...TABLES, ...TO_BE_SPLIT])
  expect(sources.filter((file) => lines(file) > LINES_MAX && !exempt.has(file))).toEqual([])
})

test('only the two config files read the environment', () => {
  const readers = sources.filter((file) =>
    readFileSync(path.join(root, file), 'utf8').includes('process.env'),
  )
  expect(readers.filter((file) => !file.endsWith('/config.ts'))).toEqual([])
})

/**
 * What a single file may do, so that what it takes care of is taken care of everywhere: the file,
 * and how doing it looks.
 */
const doneOnlyIn: readonly { what: string; file: string | undefined; pattern: RegExp }[] = [
  {
    what: 'hands Express a promise that is not awaited',
    file: undefined,
    pattern:
      /\.(?:all|delete|get|head|options|patch|post|put|use)\((?:[^()]|\([^()]*\))*?(?<!awaited\(\s*)\basync\b/,
  },
  {
    what: 'asks for the host of a request, which may have none',
    file: 'platform/express.ts',
    pattern: /\b(?:req|request)\.hostname\b|\bheaders(?:\.host\b|\['(?:x-forwarded-)?host'\])/,
  },
  {
    what: 'makes an HTTP server, or takes a socket over',
    file: 'platform/http.ts',
    pattern:
      /from 'node:(?:http|https|http2)'[\s\S]*\bcreateServer\(|\bcreateServer\b[\s\S]*from 'node:http|\.on(?:ce)?\('(?:upgrade|connect|clientError)'/,
  },
  {
    what: 'goes on after an error that nobody caught',
    file: undefined,
    pattern: /uncaughtException|unhandledRejection/,
  },
]

test.each(doneOnlyIn)('no file but one, if any, $what', ({ file, pattern }) => {
  const doers = sources.filter((source) => pattern.test(readFileSync(path.join(root, source), 'utf8')))
  expect(doers).toEqual(file === undefined ? [] : [file])
})

/** The lists of endpoints, and how one names another file's endpoint. */
const endpointLists = sources.filter((file) => /\/xrpc\/(?:app-view-)?endpoints\.ts$/.test(file))
const LISTED = /^export \{ default as '([^']+)' \} from '([^']+)'$/gm

test('every endpoint is one file, named by its NSID, and one line of a list', () => {
  const listed = endpointLists.flatMap((list) =>
    [...readFileSync(path.join(root, list), 'utf8').matchAll(LISTED)].map(([, nsid = '', file = '']) => ({
      nsid,
      file: path.posix.join(path.posix.dirname(list), file),
    })),
  )
  const files = sources.filter((file) => /\/xrpc\/[^/]+\//.test(file))
  expect(files.length).toBeGreaterThan(80)
  expect(listed.map(({ file }) => file).sort()).toEqual(files.sort())
  const misnamed = listed.filter(({ nsid, file }) => `${nsid}.ts` !== file.split('/').slice(-2).join('.'))
  expect(misnamed).toEqual([])
})

test('the domain names no HTTP statuses: errors are mapped to XRPC in one place', () => {
  const named =
    /import \{[^}]*\b(?:\w+RequestError|\w+FailureError|\w+TimeoutError|XRPCError|ResponseType)\b[^}]*\} from '@atproto\/xrpc-server'/
  const namers = sources.filter(
    (file) => !file.includes('/xrpc/') && named.test(readFileSync(path.join(root, file), 'utf8')),
  )
  // The HTTP application refuses an upgrade that is none.
  expect(namers.sort()).toEqual(['pds/http.ts', 'platform/xrpc-errors.ts'])
})
