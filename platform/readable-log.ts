/**
 * A line of the log as a person reads it: time, level, part and message; what to do; then what else
 * is known, a line each.
 */

/** What pino puts on every line, and what stands elsewhere in the text. */
const SHOWN_ELSEWHERE = new Set(['level', 'time', 'pid', 'name', 'msg', 'todo', 'err'])
const LEVELS = new Map([
  [60, 'FATAL'],
  [50, 'ERROR'],
  [40, 'WARN'],
  [30, 'INFO'],
  [20, 'DEBUG'],
  [10, 'TRACE'],
])
const LEVEL_ERROR = 50
const LEVEL_CHARACTERS = 5

interface ErrorFields {
  readonly name?: string
  readonly message?: string
  readonly stack?: string
  readonly code?: unknown
  readonly cause?: unknown
}

/** @param line JSON as pino writes it */
export function readable(line: string): string {
  const fields = JSON.parse(line) as Record<string, unknown> & { level: number; time: number }
  const { level, time, name, msg = '', todo, err } = fields
  const head = [
    new Date(time).toISOString().replace('T', ' ').replace('Z', ''),
    (LEVELS.get(level) ?? String(level)).padEnd(LEVEL_CHARACTERS),
    `${name}: ${plain(String(msg))}`,
  ].join(' ')
  const lines = [head]
  if (todo !== undefined) lines.push(`  -> ${plain(String(todo))}`)
  for (const [key, value] of Object.entries(fields)) {
    if (SHOWN_ELSEWHERE.has(key)) continue
    const text = typeof value === 'string' ? value : JSON.stringify(value)
    lines.push(`  ${plain(key)}: ${plain(text).replaceAll('\n', '\n    ')}`)
  }
  if (err !== undefined) lines.push(...errorLines(err, level >= LEVEL_ERROR))
  return `${lines.join('\n')}\n`
}

/** An error and its causes; where it comes from only when it is one of the server's. */
function errorLines(error: unknown, withStack: boolean): string[] {
  if (typeof error !== 'object' || error === null) return [`  ${plain(String(error))}`]
  const { name = 'Error', message = '', stack, code, cause } = error as ErrorFields
  const known = code === undefined ? '' : ` (${String(code)})`
  const said = withStack && stack !== undefined ? stack : `${name}: ${message}`
  const lines = [`  ${plain(said + known).replaceAll('\n', '\n  ')}`]
  return cause === undefined ? lines : [...lines, '  caused by', ...errorLines(cause, withStack)]
}

/**
 * Text without what a terminal would take for a command: strangers' words stand in the log, too.
 */
const plain = (text: string): string =>
  text.replace(
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
    /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
