/**
 * Cursors as clients carry them: opaque text around a few numbers and strings. They are not signed:
 * whatever one holds, it is only a place in a list.
 */

import { DomainError } from '#platform/errors.ts'

const cursorCharactersMax = 4000

/** The cursor that carries the values. */
export function encodeCursor(values: readonly (string | number)[]): string {
  return Buffer.from(JSON.stringify(values)).toString('base64url')
}

/**
 * The values that a cursor carries, of the kinds given.
 * @throws DomainError
 */
export function decodeCursor<const Kinds extends readonly ('number' | 'string')[]>(
  cursor: string,
  kinds: Kinds,
): { [I in keyof Kinds]: Kinds[I] extends 'number' ? number : string } {
  const values = cursor.length <= cursorCharactersMax ? parse(cursor) : undefined
  if (
    !Array.isArray(values) ||
    values.length !== kinds.length ||
    values.some((value, i) => typeof value !== kinds[i])
  ) {
    throw new DomainError('invalid', 'not a cursor of this feed')
  }
  return values as never
}

function parse(cursor: string): unknown {
  try {
    return JSON.parse(Buffer.from(cursor, 'base64url').toString())
  } catch {
    return undefined
  }
}
