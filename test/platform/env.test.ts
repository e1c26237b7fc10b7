import { describe, expect, test } from 'vitest'
import { ConfigError, type Env, readEnv, required } from '#platform/env.ts'

/** The names of the variables at fault. */
function faultsOf(variables: Record<string, string>, read: (env: Env) => unknown): string[] {
  try {
    readEnv(variables, read)
  } catch (error) {
    if (error instanceof ConfigError) return error.faults.map(({ name }) => name)
    throw error
  }
  return []
}

describe('an environment', () => {
  test('is read as what each variable should be', () => {
    const variables = {
      TEXT: 'text',
      WORD: 'two',
      INT: '7',
      PORT: '2583',
      YES: 'true',
      ONE: '1',
      NO: 'false',
      ZERO: '0',
      LIST: ' a, b,,c ',
      URL: 'https://plc.directory/',
      PLAIN: '1500',
      LONG: '7d',
      HEX: '00ff10',
    }
    const config = readEnv(variables, (env) => ({
      text: env.string('TEXT', required),
      word: env.oneOf('WORD', ['one', 'two'], 'one'),
      int: env.int('INT', 1, { max: 7 }),
      port: env.port('PORT', 80),
      bools: [env.bool('YES', false), env.bool('ONE', false), env.bool('NO', true), env.bool('ZERO', true)],
      list: env.list('LIST'),
      url: env.url('URL', required),
      plain: env.duration('PLAIN', 0),
      long: env.duration('LONG', 0),
      hex: env.hex('HEX', 3, required),
    }))
    expect(config).toEqual({
      text: 'text',
      word: 'two',
      int: 7,
      port: 2583,
      bools: [true, true, false, false],
      list: ['a', 'b', 'c'],
      url: 'https://plc.directory',
      plain: 1500,
      long: 7 * 86_400_000,
      hex: Buffer.from([0x00, 0xff, 0x10]),
    })
  })

  test('gives the fallback for what is not set or empty', () => {
    const config = readEnv({ EMPTY: '' }, (env) => [
      env.string('EMPTY', 'fallback'),
      env.string('NONE'),
      env.int('NONE', 3),
      env.bool('NONE'),
      env.list('NONE', ['x']),
      env.has('EMPTY'),
    ])
    expect(config).toEqual(['fallback', undefined, 3, undefined, ['x'], false])
  })

  test('reports every fault at once, by name', () => {
    const variables = {
      PORT: '70000',
      BOOL: 'yes',
      URL: 'ftp://x',
      HEX: 'abc',
      AGE: '3 weeks',
      WORD: 'three',
      INT: '1.5',
    }
    const names = faultsOf(variables, (env) => [
      env.string('MISSING', required),
      env.port('PORT', 1),
      env.bool('BOOL', true),
      env.url('URL', required),
      env.hex('HEX', 2, required),
      env.duration('AGE', 1),
      env.oneOf('WORD', ['one', 'two'], 'one'),
      env.int('INT', 0),
      env.fault('BOTH', 'cannot be set with URL'),
    ])
    expect(names).toEqual(['MISSING', 'PORT', 'BOOL', 'URL', 'HEX', 'AGE', 'WORD', 'INT', 'BOTH'])
  })

  test('never shows a secret in the message', () => {
    const secret = 'deadbeef-not-hex'
    expect(() => readEnv({ KEY: secret }, (env) => env.hex('KEY', 32, required))).toThrow(
      expect.not.objectContaining({ message: expect.stringContaining(secret) }),
    )
  })
})
