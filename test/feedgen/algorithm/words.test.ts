/** What finds what, in sentences as people write them, in the scripts of the world. */
import { describe, expect, test } from 'vitest'
import type { Filter } from '../../../feedgen/algorithm/definition.ts'
import { featuresOf } from '../../../feedgen/algorithm/features.ts'
import { coverOf, keysOf } from '../../../feedgen/algorithm/index-keys.ts'
import { compileRegex } from '../../../feedgen/algorithm/regex.ts'
import { compileRule, decide } from '../../../feedgen/algorithm/rule.ts'
import { sentences } from './sentences.ts'

const holds = (filter: Filter, record: object) => {
  const rule = compileRule(filter, 'where')
  const features = featuresOf(record as never, 'did:plc:a')
  const found = decide(rule, features)
  // Whatever is found is found by its keys too.
  const { keys, share } = coverOf(rule)
  if (found && share < 1000)
    expect(keys.some(({ kind, value }) => keysOf(features, kind).includes(value))).toBe(true)
  return found
}

describe.for(sentences)('$script', ({ text, finds, misses, regexes = [], regexMisses = [] }) => {
  test.for([text, text.normalize('NFD'), text.normalize('NFC')])('words and phrases', (written) => {
    const has = (word: string) => holds({ kind: 'text', words: [word] }, { text: written })
    expect(finds.filter((word) => !has(word))).toEqual([])
    expect(misses.filter((word) => has(word))).toEqual([])
    const phrase = (phrase: string) => holds({ kind: 'text', phrase }, { text: written })
    expect(finds.filter((words) => !phrase(words.normalize('NFD')))).toEqual([])
  })

  test('expressions', () => {
    const matches = (regex: string) => compileRegex(regex, '').matches(text)
    expect(regexes.filter((regex) => !matches(regex))).toEqual([])
    expect(regexMisses.filter((regex) => matches(regex))).toEqual([])
    const decomposed = (regex: string) =>
      compileRegex(regex.normalize('NFD'), '').matches(text.normalize('NFD'))
    expect(regexes.filter((regex) => !decomposed(regex))).toEqual([])
  })

  test('a word is a tag, however it is written', () => {
    const [word] = finds.filter((word) => /^[\p{L}\p{M}]+$/u.test(word))
    if (word === undefined) return
    for (const [said, wanted] of [
      [word, `#${word.normalize('NFD')}`],
      [word.toUpperCase(), word],
      [`＃${word}`, word],
    ] as const)
      expect(holds({ kind: 'tag', any: [wanted] }, { text: '', tags: [said] })).toBe(true)
  })
})

describe('languages', () => {
  test.for([
    [['pt-BR'], 'pt', true],
    [['pt-BR'], 'pt_br', true],
    [['PT_br'], 'pt-BR', true],
    [['pt'], 'pt-BR', false],
    [['zh-Hant-TW'], 'zh-TW', true],
    [['zh-TW'], 'zh-Hant', true],
    [['zh-CN'], 'zh-Hant', false],
    [['en'], 'en-US', false],
    [['eng'], 'en', true],
    [['iw'], 'he', true],
    [['sr-Latn-RS'], '*-Latn', true],
    [['de-x-tw'], 'de-TW', false],
    [['not a language'], 'en', false],
    [[], '*', false],
  ] as const)('%j is taken in by %s: %s', ([langs, any, expected]) => {
    expect(holds({ kind: 'lang', any: [any] }, { text: '', langs })).toBe(expected)
  })
})

describe('hosts', () => {
  test.for([
    ['https://bücher.example/a', 'bücher.example', true],
    ['https://xn--bcher-kva.example/a', 'Bücher.example', true],
    ['https://www.BÜCHER.example./a', 'xn--bcher-kva.example', true],
    ['https://例え.jp', 'xn--r8jz45g.jp', true],
    ['https://a.b.org:8080/x', 'https://b.org/y?z', true],
    ['https://user@b.org', '*.b.org', true],
    ['https://notb.org', 'b.org', false],
    ['https://b.org.evil.com', 'b.org', false],
    ['at://b.org/x', 'b.org', false],
  ] as const)('%s is of %s: %s', ([uri, domain, expected]) => {
    const facets = [{ features: [{ $type: 'app.bsky.richtext.facet#link', uri }] }]
    expect(holds({ kind: 'domain', any: [domain] }, { text: '', facets })).toBe(expected)
  })
})
