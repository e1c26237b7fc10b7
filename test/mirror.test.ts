/** A test file's path mirrors that of what it tests. */
import { existsSync, globSync, readdirSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { SPECIAL_FOLDERS, TOPICS, UNTESTED } from './mirror.ts'

const root = path.dirname(import.meta.dirname)
const ROOMS = ['protocol', 'platform', 'pds', 'feedgen', 'bridge', 'scripts']

const files = (pattern: string) =>
  globSync(pattern, { cwd: root }).map((file) => file.split(path.sep).join('/'))
const tests = files('test/**/*.test.ts').map((file) => file.slice('test/'.length, -'.test.ts'.length))
const sources = files(`{${ROOMS}}/**/*.{ts,mjs}`).filter((file) => !file.endsWith('.d.ts'))
const withoutEnding = (file: string) => file.replace(/\.\w+$/, '')

test('every test file is named for a source file or a folder, or is a topic of a folder that exists', () => {
  const named = new Set(sources.map(withoutEnding))
  const isMirror = (name: string) => named.has(name) || existsSync(path.join(root, name))
  const mirrors = tests.filter((name) => ROOMS.includes(name.split('/')[0]!))
  expect(mirrors.filter((name) => !isMirror(name)).sort()).toEqual(TOPICS.toSorted())
  for (const name of TOPICS) expect(existsSync(path.join(root, path.dirname(name))), name).toBe(true)
})

test('every folder of the tests mirrors one of the sources or is a special one', () => {
  const folders = readdirSync(import.meta.dirname, { withFileTypes: true }).filter((entry) =>
    entry.isDirectory(),
  )
  const others = folders.map(({ name }) => name).filter((name) => !ROOMS.includes(name))
  expect(others.sort()).toEqual(SPECIAL_FOLDERS.toSorted())
})

test('every source file has a test of its own, but those that are listed, of which there may be no more', () => {
  const tested = new Set(tests)
  const without = sources.filter((file) => !tested.has(withoutEnding(file)))
  const endpoint = /^(pds|feedgen)\/xrpc\/[\w-]+\.[\w.-]+\//
  const listed = Object.entries(UNTESTED).flatMap(([folder, names]) =>
    names.map((name) => `${folder}/${name}`),
  )
  // The endpoints are tested together, in conformance/ and by what they stand for.
  expect(without.filter((file) => !endpoint.test(file)).sort()).toEqual(listed.sort())
})
