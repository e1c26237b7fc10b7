/** The lexicon of definitions, as far as parts are told by it. */
import type { LexUserType } from '@atproto/lexicon'
import { ALGORITHM_NSID } from './definition.ts'
import { lexicons } from './lexicons.ts'

/** What of a lexicon a walk through a definition looks at. */
export type Shape =
  | Extract<LexUserType, { type: 'object' }>
  | { type: 'array'; items: Shape }
  | { type: 'ref'; ref: string }
  | { type: 'union'; refs: string[] }
  | { type: 'string'; format?: string }
  | { type: 'integer' | 'boolean' }

/** What a definition is as a whole. */
export function definitionShape(): Extract<Shape, { type: 'object' }> {
  const { record } = lexicons.getDefOrThrow(ALGORITHM_NSID, ['record']) as Extract<
    LexUserType,
    { type: 'record' }
  >
  return record
}

/** What a reference in a lexicon stands for. */
export function shapeOf(ref: string): Shape {
  return lexicons.getDefOrThrow(ref) as Shape
}

/** A property of an object; undefined when the lexicon has none of that name. */
export function propertyOf(shape: Extract<Shape, { type: 'object' }>, name: string): Shape | undefined {
  return Object.hasOwn(shape.properties, name) ? (shape.properties[name] as Shape) : undefined
}

/** The short name of a member of a union. */
export function kindOf(ref: string): string {
  return ref.slice(ref.indexOf('#') + 1)
}

/** The path of a part within another. */
export function under(path: string, name: string | number): string {
  return path === '' ? String(name) : `${path}/${name}`
}

export type Json = Record<string, unknown>

export function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
