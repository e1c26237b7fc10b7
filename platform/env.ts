/**
 * Configuration out of environment variables, with every fault reported at once.
 *
 * Owns the parsing of each kind of value and the collecting of faults. Which variables there are,
 * and what they mean, is for the two `config.ts` files.
 */

import { isIP } from 'node:net'
import { DAY_MS, HOUR_MS, MINUTE_MS } from './time.ts'

/** A variable that is not what it must be. */
export interface ConfigFault {
  /** The variable's name. */
  readonly name: string
  /** What is wrong with it, without the value when that is a secret. */
  readonly message: string
}

/** The environment cannot be used; `faults` names every variable at fault. */
export class ConfigError extends Error {
  override name = 'ConfigError'
  readonly faults: readonly ConfigFault[]

  constructor(faults: readonly ConfigFault[]) {
    const lines = faults.map(({ name, message }) => `  ${name}: ${message}`)
    super(
      `the configuration has ${faults.length === 1 ? 'a fault' : `${faults.length} faults`}\n${lines.join('\n')}`,
    )
    this.faults = faults
  }
}

/** The exit status of a process whose configuration is at fault (EX_CONFIG of sysexits). */
export const CONFIG_EXIT_STATUS = 78

/** In the place of a fallback: the variable must be set. */
export const required: unique symbol = Symbol('required')

/**
 * A value that fails to parse: the message says why. Thrown by the parsers given to
 * {@link Env.parse}.
 */
export class ValueError extends Error {
  override name = 'ValueError'
}

/**
 * Reads a configuration: `read` takes what it needs from the {@link Env} it is given. A variable at
 * fault gives a stand-in value, so that the others are still looked at.
 * @throws ConfigError naming every variable at fault
 */
export function readEnv<T>(variables: Record<string, string | undefined>, read: (env: Env) => T): T {
  const env = new Env(variables)
  const config = read(env)
  if (env.faults.length > 0) throw new ConfigError(env.faults)
  return config
}

type Fallback<T> = T | typeof required

/**
 * The variables of an environment, each read as what it should be. A variable set to nothing counts
 * as not set.
 */
export class Env {
  readonly #variables: Record<string, string | undefined>
  readonly faults: ConfigFault[] = []
  /** What the operator should know of variables that are no fault. */
  readonly warnings: ConfigFault[] = []

  constructor(variables: Record<string, string | undefined>) {
    this.#variables = variables
  }

  /** Notes a fault that no parser sees, such as two variables that contradict each other. */
  fault(name: string, message: string): void {
    this.faults.push({ name, message })
  }

  /** Notes that a variable which is set does not do what it says. */
  warn(name: string, message: string): void {
    this.warnings.push({ name, message })
  }

  /** Whether the variable is set to something. */
  has(name: string): boolean {
    return Boolean(this.#variables[name])
  }

  /**
   * A value of any kind: `parse` turns the text into it or throws a {@link ValueError}; `standIn`
   * is returned after a fault.
   */
  parse<T>(name: string, parse: (text: string) => T, fallback: Fallback<T>, standIn: T): T
  parse<T>(
    name: string,
    parse: (text: string) => T,
    fallback: Fallback<T> | undefined,
    standIn: T,
  ): T | undefined
  parse<T>(
    name: string,
    parse: (text: string) => T,
    fallback: Fallback<T> | undefined,
    standIn: T,
  ): T | undefined {
    const text = this.#variables[name]
    if (!text) {
      if (fallback !== required) return fallback
      this.fault(name, 'is not set')
      return standIn
    }
    try {
      return parse(text)
    } catch (error) {
      if (!(error instanceof ValueError)) throw error
      this.fault(name, error.message)
      return standIn
    }
  }

  /** Text as it stands. */
  string(name: string): string | undefined
  string(name: string, fallback: Fallback<string>): string
  string(name: string, fallback?: Fallback<string>): string | undefined {
    return this.parse(name, (text) => text, fallback, '')
  }

  /** One of a few words. */
  oneOf<T extends string>(name: string, words: readonly T[], fallback: Fallback<T>): T {
    const parse = (text: string): T => {
      const word = words.find((word) => word === text)
      if (word === undefined) throw new ValueError(`must be one of ${words.join(', ')}, is ${quote(text)}`)
      return word
    }
    return this.parse(name, parse, fallback, words[0] as T)
  }

  /** A whole number from `min` to `max`. */
  int(name: string): number | undefined
  int(name: string, fallback: Fallback<number>, range?: { min?: number; max?: number }): number
  int(
    name: string,
    fallback?: Fallback<number>,
    { min = 0, max = Number.MAX_SAFE_INTEGER }: { min?: number; max?: number } = {},
  ): number | undefined {
    return this.parse(name, (text) => parseInteger(text, min, max), fallback, min)
  }

  /** A TCP port; 0 lets the system choose one. */
  port(name: string, fallback: Fallback<number>): number {
    return this.parse(name, (text) => parseInteger(text, 0, 65535), fallback, 0)
  }

  /** `true` or `1`, `false` or `0`. */
  bool(name: string): boolean | undefined
  bool(name: string, fallback: Fallback<boolean>): boolean
  bool(name: string, fallback?: Fallback<boolean>): boolean | undefined {
    return this.parse(name, parseBoolean, fallback, false)
  }

  /** Words between commas, without the white space around them and without empty ones. */
  list(name: string, fallback: Fallback<string[]> = []): string[] {
    const parse = (text: string): string[] => text.split(',').flatMap((word) => word.trim() || [])
    return this.parse(name, parse, fallback, [])
  }

  /** A host name as URLs have it, in small letters. */
  hostname(name: string, fallback: Fallback<string>): string {
    return this.parse(name, parseHostname, fallback, 'localhost')
  }

  /**
   * IP addresses between commas. What follows a slash is left out: `@atproto/pds` takes a network
   * as its first address.
   */
  addresses(name: string): string[] {
    const parse = (text: string): string[] =>
      text.split(',').flatMap((word) => {
        const address = word.split('/', 1)[0]?.trim() ?? ''
        if (address === '' || isIP(address) !== 0) return address || []
        throw new ValueError(`must be a list of IP addresses, ${quote(address)} is none`)
      })
    return this.parse(name, parse, [], [])
  }

  /** A URL of one of the schemes (`https:`, ...), as text without a final slash. */
  url(name: string): string | undefined
  url(name: string, fallback: Fallback<string>, schemes?: readonly string[]): string
  url(
    name: string,
    fallback?: Fallback<string>,
    schemes: readonly string[] = ['http:', 'https:'],
  ): string | undefined {
    return this.parse(name, (text) => parseUrl(text, schemes), fallback, '')
  }

  /**
   * A time in milliseconds: `1500` is one and a half seconds, and so is `1500ms`; `30s`, `5m`, `2h`
   * and `7d` say their unit.
   */
  duration(name: string): number | undefined
  duration(name: string, fallback: Fallback<number>): number
  duration(name: string, fallback?: Fallback<number>): number | undefined {
    return this.parse(name, parseDuration, fallback, 0)
  }

  /** A secret in hexadecimal, of `bytes` bytes. The fault does not show the value. */
  hex(name: string, bytes: number): Buffer | undefined
  hex(name: string, bytes: number, fallback: Fallback<Buffer>): Buffer
  hex(name: string, bytes: number, fallback?: Fallback<Buffer>): Buffer | undefined {
    const parse = (text: string): Buffer => {
      if (text.length === bytes * 2 && /^[0-9a-f]+$/i.test(text)) return Buffer.from(text, 'hex')
      throw new ValueError(`must be ${bytes * 2} hexadecimal digits (${bytes} bytes)`)
    }
    return this.parse(name, parse, fallback, Buffer.alloc(bytes))
  }
}

function parseInteger(text: string, min: number, max: number): number {
  const number = Number(text)
  if (/^-?\d+$/.test(text) && number >= min && number <= max) return number
  throw new ValueError(`must be a whole number from ${min} to ${max}, is ${quote(text)}`)
}

function parseBoolean(text: string): boolean {
  if (text === 'true' || text === '1') return true
  if (text === 'false' || text === '0') return false
  throw new ValueError(`must be true, 1, false or 0, is ${quote(text)}`)
}

const HOSTNAME_CHARACTERS_MAX = 253
const HOST_LABEL = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/

function parseHostname(text: string): string {
  const isOne =
    text.length <= HOSTNAME_CHARACTERS_MAX && text.split('.').every((label) => HOST_LABEL.test(label))
  if (isOne) return text
  const host = URL.parse(/^[a-z]+:\/\//i.test(text) ? text : `https://${text}`)?.hostname ?? ''
  const hint = host.split('.').every((label) => HOST_LABEL.test(label)) ? `, such as ${host}` : ''
  throw new ValueError(
    `must be a host name in small letters, without https://, a port, a path or blanks${hint}; is ${quote(text)}`,
  )
}

function parseUrl(text: string, schemes: readonly string[]): string {
  const url = URL.parse(text)
  if (url && schemes.includes(url.protocol)) return url.href.replace(/\/$/, '')
  const wanted = schemes.map((scheme) => `${scheme}//`).join(' or ')
  // A URL may carry a password.
  throw new ValueError(`must be a URL that starts with ${wanted}`)
}

const MILLISECONDS = new Map([
  ['', 1],
  ['ms', 1],
  ['s', 1000],
  ['m', MINUTE_MS],
  ['h', HOUR_MS],
  ['d', DAY_MS],
])

function parseDuration(text: string): number {
  const [, digits = '', unit = ''] = /^(\d+)\s*(ms|s|m|h|d)?$/.exec(text) ?? []
  const duration = Number(digits) * (MILLISECONDS.get(unit) ?? 1)
  if (digits !== '' && Number.isSafeInteger(duration)) return duration
  throw new ValueError(`must be a time such as 500 (milliseconds), 30s, 5m, 2h or 7d, is ${quote(text)}`)
}

const quotedCharactersMax = 100

function quote(text: string): string {
  return JSON.stringify(text.length > quotedCharactersMax ? `${text.slice(0, quotedCharactersMax)}...` : text)
}
