/** JSON as people write it. */
import { describe, expect, test } from 'vitest'
import { parseJsonc, printJson } from '../../../../scripts/atoll/feed/jsonc.ts'

describe('reading', () => {
  test('takes comments and commas at ends', () => {
    const text = '// cats\n{ "a": [1, 2, /* two */], "b": "// no comment", }\n'
    expect(parseJsonc(text)).toEqual({ a: [1, 2], b: '// no comment' })
  })

  test('keeps what JSON means', () => {
    const value = parseJsonc('{"__proto__": 1, "x": "\\u00e9"}') as object
    expect(Object.keys(value)).toEqual(['__proto__', 'x'])
  })

  test.for([
    ['{ "a": 1\n  "b": 2 }', /^line 2, column 3: comma expected/],
    ['cats', /^line 1, column 1: /],
    ['', /^line 1, column 1: /],
    ['{ "a": [1, 2 }', /^line 1, column 14: /],
    ["{ 'a': 1 }", /^line 1, column 3: /],
  ] as const)('says where %j goes wrong', ([text, message]) => {
    expect(() => parseJsonc(text)).toThrow(message)
  })
})

test('prints what fits on a line on one, and what was printed reads the same', () => {
  const value = {
    a: [{ kind: 'tag', any: ['x', 'é"'] }],
    long: Array.from({ length: 40 }, (_, i) => `w${i}`),
    none: {},
    empty: [],
  }
  const text = printJson(value)
  expect(text).toContain('\n  "a": [{ "kind": "tag", "any": ["x", "é\\""] }],\n')
  expect(JSON.parse(text)).toEqual(value)
})
