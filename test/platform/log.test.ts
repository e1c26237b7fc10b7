import { globSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { readEnv } from '#platform/env.ts'
import { errorFields, readLogSettings } from '#platform/log.ts'
import { readable } from '#platform/readable-log.ts'

test('the log of an error and its causes leaves out the bodies they carry', () => {
  const cause = Object.assign(new Error('inner'), { body: 'password=secret' })
  const error = Object.assign(new Error('outer', { cause }), {
    code: 'E',
    body: 'password=secret',
    status: 400,
  })
  const fields = errorFields(error)
  expect(fields).toEqual({
    name: 'Error',
    message: 'outer',
    stack: error.stack,
    code: 'E',
    cause: { name: 'Error', message: 'inner', stack: cause.stack },
  })
  const endless = new Error('of itself')
  endless.cause = endless
  expect(JSON.stringify(errorFields(endless)).length).toBeGreaterThan(0)
  expect(errorFields('text')).toBe('text')
})

test('the log is text on the screen unless the operator asks for JSON', () => {
  const settings = (variables: Record<string, string>) => readEnv(variables, readLogSettings)
  expect(settings({})).toMatchObject({ enabled: true, level: 'warn', format: 'text' })
  expect(settings({ LOG_ENABLED: 'true' })).toMatchObject({ enabled: true, level: 'info', format: 'json' })
  expect(settings({ LOG_ENABLED: 'false' })).toMatchObject({ enabled: false })
  expect(settings({ LOG_LEVEL: 'debug' })).toMatchObject({ enabled: true, level: 'debug', format: 'text' })
  expect(settings({ LOG_ENABLED: 'true', LOG_FORMAT: 'text' })).toMatchObject({
    level: 'info',
    format: 'text',
  })
})

const line = (fields: object) =>
  readable(
    JSON.stringify({ level: 40, time: Date.UTC(2026, 0, 2, 3, 4, 5, 6), pid: 1, name: 'part', ...fields }),
  )

test('a text log line has the message first, then what to do, then the fields', () => {
  const cause = {
    name: 'Error',
    message: 'connect ECONNREFUSED',
    stack: 'Error: connect\n    at x',
    code: 'E',
  }
  expect(line({ msg: 'it happened', todo: 'mend it', text: 'two\nlines', count: 3, err: cause })).toBe(
    `2026-01-02 03:04:05.006 WARN  part: it happened
  -> mend it
  text: two
    lines
  count: 3
  Error: connect ECONNREFUSED (E)
`,
  )
  const nested = {
    level: 50,
    msg: 'a fault',
    err: { name: 'A', message: 'a', stack: 'A: a\n    at y', cause },
  }
  expect(line(nested)).toContain('ERROR part: a fault\n  A: a\n      at y\n  caused by\n  Error: connect\n')
})

test('control characters from outside are escaped in the log', () => {
  const evil = '\u001b]0;owned\u0007\r\u009b2J\u202e'
  const written = line({ msg: evil, [evil]: evil, err: { name: evil, message: evil, code: evil } })
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
  expect(written).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/)
  expect(written).toContain('\\u001b]0;owned\\u0007')
})

/** What is between the parentheses that open at a place. */
function argumentsAt(source: string, open: number): string {
  let depth = 0
  for (let at = open; at < source.length; at++) {
    if (source[at] === '(') depth++
    if (source[at] === ')' && --depth === 0) return source.slice(open, at)
  }
  return source.slice(open)
}

test('every warning and every error says what to do about it', () => {
  const silent: string[] = []
  let count = 0
  for (const file of globSync(['pds/**/*.ts', 'feedgen/**/*.ts', 'platform/**/*.ts'])) {
    const source = readFileSync(file, 'utf8')
    for (const { index, 0: call } of source.matchAll(
      /\b(?:log|#logger|logger\([^)]*\))\.(?:warn|error|fatal)\(/g,
    )) {
      count++
      if (!/\btodo\b/.test(argumentsAt(source, index + call.length - 1))) silent.push(`${file}: ${call}`)
    }
  }
  expect(count).toBeGreaterThan(30)
  expect(silent).toEqual([])
})
