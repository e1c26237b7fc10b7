/** Questions about fields of a record by their paths. */

import type { Comparison, FieldComparison, FieldValue } from './definition.ts'
import type { PostFeatures } from './features.ts'
import { InvalidDefinitionError } from './invalid.ts'

const pathPartsMax = 20

interface Field extends FieldValue {
  path: string
  op: FieldComparison
}

/**
 * The test of a field.
 * @throws InvalidDefinitionError when the comparison makes no sense for the value
 */
export function fieldTest(field: Field, path: string): (features: PostFeatures) => boolean {
  const { op } = field
  const wanted = field.string ?? field.integer ?? field.boolean
  const parts = field.path.split('.')
  if (parts.length > pathPartsMax || parts.includes(''))
    throw new InvalidDefinitionError(`${path}/path`, `is at most ${pathPartsMax} names with dots between`)
  if ((op === 'contains' || op === 'startsWith') && typeof wanted !== 'string')
    throw new InvalidDefinitionError(path, `${op} takes a string`)
  if (typeof wanted === 'boolean' && op !== 'eq' && op !== 'ne')
    throw new InvalidDefinitionError(path, `a boolean is compared by eq or ne`)
  return ({ record }) => compare(valueAt(record, parts), op, wanted)
}

function valueAt(record: unknown, parts: readonly string[]): unknown {
  let value = record
  for (const part of parts) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return undefined
    value = (value as Record<string, unknown>)[part]
  }
  return value
}

function compare(value: unknown, op: FieldComparison, wanted: FieldValue[keyof FieldValue]): boolean {
  if (op === 'exists') return value !== undefined
  if (op === 'absent') return value === undefined
  // What is not there, or of another kind, is not equal and compares with nothing.
  if (typeof value !== typeof wanted) return op === 'ne'
  if (typeof value === 'number' && typeof wanted === 'number')
    return op !== 'contains' && op !== 'startsWith' && compareNumbers(op, value, wanted)
  if (typeof value === 'string' && typeof wanted === 'string') {
    if (op === 'contains') return value.includes(wanted)
    if (op === 'startsWith') return value.startsWith(wanted)
    return compareNumbers(op, value < wanted ? -1 : value > wanted ? 1 : 0, 0)
  }
  return op === 'ne' ? value !== wanted : value === wanted
}

export function compareNumbers(op: Comparison, a: number, b: number): boolean {
  switch (op) {
    case 'eq':
      return a === b
    case 'ne':
      return a !== b
    case 'lt':
      return a < b
    case 'lte':
      return a <= b
    case 'gt':
      return a > b
    case 'gte':
      return a >= b
  }
}
