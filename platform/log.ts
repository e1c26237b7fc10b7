/**
 * Logs: one pino logger for each part of a server, all writing to one destination: lines of JSON,
 * or text for the operator's screen.
 *
 * A warning or an error says in `todo` what the operator can do about it. A logger can be made at
 * any time, also while modules load; nothing is written before {@link configureLog} says where to,
 * so tests and library use are silent.
 */
import { type DestinationStream, destination, type Logger, pino } from 'pino'
import type { Env } from './env.ts'
import { readable } from './readable-log.ts'

export type { Logger } from 'pino'

const levels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const

/** What is written and where to. */
export interface LogSettings {
  enabled: boolean
  level: (typeof levels)[number]
  /** The names of the loggers that write; all of them when empty. */
  systems: string[]
  /**
   * A file, which is appended to. Without it JSON goes to standard output, and text to standard
   * error.
   */
  file?: string
  format: (typeof formats)[number]
}

const formats = ['text', 'json'] as const

/**
 * The variables that `@atproto/pds` reads: `LOG_ENABLED`, `LOG_LEVEL`, `LOG_SYSTEMS` and
 * `LOG_DESTINATION`; and `LOG_FORMAT`. With none of them, warnings and errors are on the operator's
 * screen.
 */
export function readLogSettings(env: Env): LogSettings {
  const isAskedFor = env.bool('LOG_ENABLED')
  return {
    enabled: isAskedFor ?? true,
    level: env.oneOf('LOG_LEVEL', levels, isAskedFor ? 'info' : 'warn'),
    systems: env.list('LOG_SYSTEMS').flatMap((names) => names.split(/\s+/)),
    file: env.string('LOG_DESTINATION'),
    format: env.oneOf('LOG_FORMAT', formats, isAskedFor ? 'json' : 'text'),
  }
}

/** Standard output and standard error, by their numbers. */
const SCREEN = { json: 1, text: 2 }

let output: DestinationStream | null = null
let settings: LogSettings = { enabled: false, level: 'silent', systems: [], format: 'json' }
const root = pino(
  { base: { pid: process.pid }, serializers: { err: errorFields } },
  { write: (line) => output?.write(settings.format === 'text' ? readable(line) : line) },
)
const loggers = new Map<string, Logger>()

/** The logger of a part of a server, the same one for the same name. */
export function logger(name: string): Logger {
  let found = loggers.get(name)
  if (!found) {
    found = root.child({ name }, { level: levelOf(name) })
    loggers.set(name, found)
  }
  return found
}

/** Says what is written from now on and where to, for the loggers there are and those to come. */
export function configureLog(chosen: LogSettings): void {
  settings = chosen
  // Written at once: a line that explains a crash must be there after it.
  output = chosen.enabled
    ? destination({ dest: chosen.file ?? SCREEN[chosen.format], mkdir: true, sync: true })
    : null
  for (const [name, logger] of loggers) logger.level = levelOf(name)
}

function levelOf(name: string): string {
  const { enabled, level, systems } = settings
  return enabled && (systems.length === 0 || systems.includes(name)) ? level : 'silent'
}

/** Causes of causes that are written. */
const CAUSES_MAX = 5

/**
 * What is written of an error. What else one carries stays out of the log: parsers put the body of
 * a request on theirs, passwords and all.
 */
export function errorFields(error: unknown, depth = 0): unknown {
  if (typeof error !== 'object' || error === null) return error
  const { name, message, stack, code, cause } = error as Error & { code?: unknown }
  return {
    name,
    message,
    stack,
    ...(code !== undefined && { code }),
    ...(cause !== undefined && depth < CAUSES_MAX && { cause: errorFields(cause, depth + 1) }),
  }
}
