/** JSON with comments and trailing commas. */
import { type ParseError, parse, printParseErrorCode } from 'jsonc-parser'

/** A syntax error in JSON, with its line and column. */
export class JsoncError extends Error {
  override name = 'JsoncError'
}

/**
 * Reads JSON with comments.
 * @throws JsoncError
 */
export function parseJsonc(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // If comments are not the reason, the JSONC parser has a better message.
  }
  const errors: ParseError[] = []
  const value: unknown = parse(text, errors, { allowTrailingComma: true })
  const [first] = errors
  if (first === undefined) return value
  const before = text.slice(0, first.offset).split('\n')
  const where = `line ${before.length}, column ${(before.at(-1)?.length ?? 0) + 1}`
  const what = printParseErrorCode(first.error)
    .replaceAll(/(?<=[a-z])(?=[A-Z])/g, ' ')
    .toLowerCase()
  throw new JsoncError(`${where}: ${what}`)
}

/** Longer lines are broken up. */
const LINE_CHARACTERS_MAX = 100

/** Formats JSON with whatever fits on one line on one line. */
export function printJson(value: unknown, indent = ''): string {
  const line = onOneLine(value)
  if (indent.length + line.length <= LINE_CHARACTERS_MAX || typeof value !== 'object' || value === null)
    return line
  const inner = `${indent}  `
  if (Array.isArray(value)) {
    return `[\n${value.map((item) => inner + printJson(item, inner)).join(',\n')}\n${indent}]`
  }
  const fields = Object.entries(value).map(
    ([name, field]) => `${inner}${JSON.stringify(name)}: ${printJson(field, inner)}`,
  )
  return `{\n${fields.join(',\n')}\n${indent}}`
}

function onOneLine(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(onOneLine).join(', ')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const fields = Object.entries(value).map(([name, field]) => `${JSON.stringify(name)}: ${onOneLine(field)}`)
  return fields.length === 0 ? '{}' : `{ ${fields.join(', ')} }`
}
