/** Names in a definition that nothing has: what was probably meant. */
import leven from 'leven'
import { InvalidDefinitionError } from './invalid.ts'
import { lexicons } from './lexicons.ts'
import { definitionShape, isObject, kindOf, propertyOf, type Shape, shapeOf, under } from './shape.ts'

/**
 * Refuses kinds and fields that no lexicon has, with what was probably meant. Everything else is
 * left to the validator, which speaks of it in the terms of lexicons.
 * @throws InvalidDefinitionError
 */
export function checkNames(record: Record<string, unknown>): void {
  const { $type: _, ...fields } = record
  check(fields, definitionShape(), '')
}

function check(value: unknown, shape: Shape, path: string): void {
  switch (shape.type) {
    case 'object':
      if (!isObject(value)) return
      for (const [name, field] of Object.entries(value)) {
        const property = propertyOf(shape, name)
        if (property === undefined) throw unknownField(name, Object.keys(shape.properties), path)
        check(field, property, under(path, name))
      }
      return
    case 'array':
      if (Array.isArray(value))
        for (const [i, item] of value.entries()) check(item, shape.items, under(path, i))
      return
    case 'ref':
      return check(value, shapeOf(shape.ref), path)
    case 'union': {
      if (!isObject(value)) return
      const { $type, ...fields } = value
      const ref = shape.refs.find((ref) => ref === `lex:${$type}`)
      if (ref === undefined) throw unknownKind($type, shape.refs, path)
      return check(fields, shapeOf(ref), path)
    }
  }
}

/** The error for a kind that the union has not. */
export function unknownKind(said: unknown, refs: readonly string[], path: string): InvalidDefinitionError {
  const kinds = refs.map(kindOf)
  const all = `must be one of ${kinds.join(', ')}`
  if (typeof said !== 'string') return new InvalidDefinitionError(path, `has no $type; it ${all}`)
  if (lexicons.getDef(said) !== undefined)
    return new InvalidDefinitionError(path, `${shown(said)} does not belong here; it ${all}`)
  const meant = closest(kindOf(said), kinds)
  const known = meant === undefined ? all : `did you mean ${JSON.stringify(meant)}?`
  return new InvalidDefinitionError(path, `${shown(said)} is not known to this host; ${known}`)
}

/** The error for a field that the object has not. */
export function unknownField(name: string, names: readonly string[], path: string): InvalidDefinitionError {
  const meant = closest(name, names)
  const hint = meant === undefined ? '' : `; did you mean ${JSON.stringify(meant)}?`
  return new InvalidDefinitionError(under(path, name), `is not known to this host${hint}`)
}

const SHOWN_CHARACTERS_MAX = 100

function shown(text: string): string {
  return JSON.stringify(text.length > SHOWN_CHARACTERS_MAX ? `${text.slice(0, SHOWN_CHARACTERS_MAX)}…` : text)
}

/** As many letters may be wrong in a name. */
const TYPOS_MAX = 2

/** The name that was probably meant; undefined when none is near. */
export function closest(said: string, names: readonly string[]): string | undefined {
  if (said.length > SHOWN_CHARACTERS_MAX) return undefined
  const form = said.toLowerCase()
  const ranked = names
    .map((name) => ({ name, typos: distance(form, name.toLowerCase()) }))
    .filter(({ name, typos }) => typos <= TYPOS_MAX && typos < name.length / 2)
    .sort((a, b) => a.typos - b.typos)
  return ranked[0]?.name
}

/** What is written out, or shortened, is near. */
function distance(said: string, name: string): number {
  const [short, long] = said.length < name.length ? [said, name] : [name, said]
  return short.length >= 3 && long.startsWith(short) ? 1 : leven(said, name)
}
