/**
 * What imported words, tags and expressions find in sentences as people write them: the same as
 * those of a definition.
 */
import { describe, expect, test } from 'vitest'
import type { Filter } from '../../../../feedgen/algorithm/definition.ts'
import { featuresOf } from '../../../../feedgen/algorithm/features.ts'
import { readDefinition, writeDefinition } from '../../../../feedgen/algorithm/read.ts'
import { compileRule, decide } from '../../../../feedgen/algorithm/rule.ts'
import { importGraze } from '../../../../scripts/atoll/import/graze.ts'
import type { Imported } from '../../../../scripts/atoll/import/imported.ts'
import { importSkyfeed } from '../../../../scripts/atoll/import/skyfeed.ts'
import { sentences } from '../../../feedgen/algorithm/sentences.ts'

const nobody = async () => undefined

const graze = (filter: object) => importGraze({ filter }, nobody)
const skyfeed = (...blocks: object[]) =>
  importSkyfeed({ blocks: [{ type: 'input', inputType: 'firehose' }, ...blocks] }, nobody)

/** Whether a post passes the filters of what was imported, all of it. */
const passes = ({ definition, notes }: Imported, record: object): boolean | undefined => {
  expect(notes.filter(({ kind }) => kind === 'lost')).toEqual([])
  const { where } = readDefinition(writeDefinition(definition))
  return decide(compileRule(where as Filter, 'where'), featuresOf(record as never, 'did:plc:a'))
}

const escaped = (text: string) => text.replaceAll(/[\\^$.*+?()[\]{}|]/g, String.raw`\$&`)

describe.for(sentences)('$script', ({ text, finds, misses, regexes = [], regexMisses = [] }) => {
  // Words that a sign is part of become expressions.
  const isWord = (word: string) =>
    /^[\p{L}\p{N}\p{M}\p{Cf} ]+$/u.test(word) || /^(?:\p{ExtPict}|\p{RI}|\uFE0F)+$/u.test(word)

  test('words of a Graze list', async () => {
    const has = async (word: string) =>
      passes(await graze({ regex_any: ['text', [word], true, false] }), { text })
    const hasNot = async (word: string) =>
      passes(await graze({ regex_none: ['text', [word], true, false] }), { text })
    for (const word of finds.filter(isWord)) {
      expect([word, await has(word)]).toEqual([word, true])
      expect([word, await hasNot(word)]).toEqual([word, false])
    }
    for (const word of misses.filter(isWord)) expect([word, await has(word)]).toEqual([word, false])
  })

  test('tags', async () => {
    const [word] = finds.filter((word) => /^[\p{L}\p{M}]+$/u.test(word))
    if (word === undefined) return
    for (const [said, wanted] of [
      [word, `#${word.normalize('NFD')}`],
      [word.toUpperCase(), word],
      [`＃${word}`, word],
    ] as const) {
      const record = { text: '', tags: [said], langs: ['en'] }
      expect(passes(await graze({ entity_matches: ['hashtags', [wanted]] }), record)).toBe(true)
      const { definition } = await importSkyfeed(
        { blocks: [{ type: 'input', inputType: 'tags', tags: [wanted] }] },
        nobody,
      )
      const [source] = definition.sources
      const tag: Filter = { kind: 'tag', any: source?.kind === 'tags' ? source.tags : [] }
      expect(decide(compileRule(tag, ''), featuresOf(record as never, 'did:plc:a'))).toBe(true)
    }
  })

  test('expressions', async () => {
    const inSkyfeed = async (value: string, invert = false) =>
      passes(await skyfeed({ type: 'regex', value, caseSensitive: true, invert }), { text })
    const inGraze = async (pattern: string) =>
      passes(await graze({ regex_matches: ['text', pattern, false] }), { text })
    for (const regex of regexes) {
      expect([regex, await inSkyfeed(regex), await inGraze(regex)]).toEqual([regex, true, true])
      expect(await inSkyfeed(regex, true)).toBe(false)
    }
    for (const regex of regexMisses)
      expect([regex, await inSkyfeed(regex), await inGraze(regex)]).toEqual([regex, false, false])
  })

  test('phrases that are spelled out as code points', async () => {
    const phrase = [...text].slice(0, 6).join('')
    const points = (write: (code: number, character: string) => string) =>
      [...phrase]
        .map((c) => (/[\p{L}\p{M}]/u.test(c) ? write(c.codePointAt(0) as number, c) : escaped(c)))
        .join('')
    const hex = (code: number, digits: number) => code.toString(16).padStart(digits, '0')
    const ways = [
      points((code) => `\\x{${hex(code, 1)}}`),
      points((code) => `\\u{${hex(code, 4)}}`),
      points((code, c) => (code > 0xffff ? c : `\\u${hex(code, 4)}`)),
      points((code) => `\\U${hex(code, 8)}`),
      points((_, c) => Array.from({ length: c.length }, (_, i) => `\\u${hex(c.charCodeAt(i), 4)}`).join('')),
    ]
    for (const way of ways) {
      const imported = await skyfeed({ type: 'regex', value: way, caseSensitive: true })
      expect([way, passes(imported, { text })]).toEqual([way, true])
    }
  })
})
