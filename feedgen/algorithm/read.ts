/**
 * Reads a definition out of a record, and refuses whatever is not known whole.
 *
 * The generic validator comes first with what lexicons can say: kinds, lengths, bounds, formats. It
 * lets fields pass that no lexicon has, and it calls itself for each level; so before it stands a
 * check of size and depth, and after it a walk of our own, which turns each `$type` of a union into
 * a `kind` on the way.
 */
import { ValidationError } from '@atproto/lexicon'
import { ALGORITHM_NSID, type Definition } from './definition.ts'
import { InvalidDefinitionError } from './invalid.ts'
import { checkNames } from './kinds.ts'
import { lexicons } from './lexicons.ts'
import {
  definitionShape,
  isObject,
  type Json,
  kindOf,
  propertyOf,
  type Shape,
  shapeOf,
  under,
} from './shape.ts'

/** How many arrays and objects may stand inside each other. */
export const definitionDepthMax = 40
/** Values of all kinds, all in all. */
export const definitionNodesMax = 20_000

export { InvalidDefinitionError }

/**
 * The definition that a record holds, be it from JSON or from the repository.
 * @throws InvalidDefinitionError
 */
export function readDefinition(record: unknown): Definition {
  checkSize(record)
  if (!isObject(record)) throw new InvalidDefinitionError('', 'a definition is an object')
  const typed = { $type: ALGORITHM_NSID, ...record }
  if (typed.$type !== ALGORITHM_NSID) {
    throw new InvalidDefinitionError('$type', `a definition is an ${ALGORITHM_NSID}`)
  }
  checkNames(typed)
  try {
    lexicons.assertValidRecord(ALGORITHM_NSID, typed)
  } catch (error) {
    if (!(error instanceof ValidationError)) throw error
    const [, path = '', reason = error.message] = /^Record\/?(\S*) (.*)$/s.exec(error.message) ?? []
    throw new InvalidDefinitionError(path, reason.replaceAll('lex:', ''))
  }
  const { $type: _, ...fields } = typed
  return walk(fields, definitionShape(), '', reader) as Definition
}

/** The record of a definition: what {@link readDefinition} reads. */
export function writeDefinition(definition: Definition): Json {
  const fields = walk(definition, definitionShape(), '', writer) as Json
  return { $type: ALGORITHM_NSID, ...fields }
}

/** Goes through the whole value without calling itself: there is no telling how deep it is. */
function checkSize(record: unknown): void {
  const open = [{ value: record, depth: 0 }]
  let nodes = 0
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { value, depth } = next
    if (++nodes > definitionNodesMax)
      throw new InvalidDefinitionError('', `it has more than ${definitionNodesMax} parts`)
    if (typeof value !== 'object' || value === null) continue
    if (depth >= definitionDepthMax)
      throw new InvalidDefinitionError('', `it is nested deeper than ${definitionDepthMax}`)
    for (const part of Object.values(value)) open.push({ value: part, depth: depth + 1 })
  }
}

/** How the members of a union are told apart, on the way in and on the way out. */
interface Direction {
  /**
   * The lexicon of the member that the object is, and its other fields; undefined when it is none.
   */
  open(member: Json, refs: readonly string[]): { ref: string; fields: Json } | undefined
  /** The object of these fields. */
  close(ref: string, fields: Json): Json
}

const reader: Direction = {
  open: ({ $type, ...fields }, refs) => {
    const ref = refs.find((ref) => ref === `lex:${$type}`)
    return ref === undefined ? undefined : { ref, fields }
  },
  close: (ref, fields) => ({ kind: kindOf(ref), ...fields }),
}

const writer: Direction = {
  open: ({ kind, ...fields }, refs) => {
    const ref = refs.find((ref) => kindOf(ref) === kind)
    return ref === undefined ? undefined : { ref, fields }
  },
  close: (ref, fields) => ({ $type: ref.slice('lex:'.length), ...fields }),
}

function walk(value: unknown, shape: Shape, path: string, direction: Direction): unknown {
  switch (shape.type) {
    case 'object': {
      if (!isObject(value)) throw new InvalidDefinitionError(path, 'must be an object')
      const fields = Object.entries(value).map(([name, field]) => {
        const property = propertyOf(shape, name)
        if (property === undefined)
          throw new InvalidDefinitionError(under(path, name), 'is not known to this host')
        return [name, walk(field, property, under(path, name), direction)]
      })
      return Object.fromEntries(fields)
    }
    case 'array':
      if (!Array.isArray(value)) throw new InvalidDefinitionError(path, 'must be an array')
      return value.map((item, i) => walk(item, shape.items, under(path, i), direction))
    case 'ref':
      return walk(value, shapeOf(shape.ref), path, direction)
    case 'union': {
      const member = isObject(value) ? direction.open(value, shape.refs) : undefined
      if (member === undefined) throw new InvalidDefinitionError(path, 'is of a kind not known to this host')
      const fields = walk(member.fields, shapeOf(member.ref), path, direction)
      return direction.close(member.ref, fields as Json)
    }
    default:
      return value
  }
}
