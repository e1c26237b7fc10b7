/**
 * What a lexicon says of the blobs in a record: their types (`accept`) and size (`maxSize`). The lexicon library checks that a blob is
 * one, and leaves these two alone.
 */
import {
  BlobRef,
  type LexBlob,
  type Lexicons,
  type LexObject,
  type LexRefVariant,
  type LexUserType,
} from '@atproto/lexicon'
import { InvalidRecordError } from './errors.ts'

/** Anything that a lexicon definition can say of a value. */
type Definition = LexUserType | LexObject['properties'][string] | LexRefVariant

/**
 * Checks every blob of a record that is valid otherwise.
 * @throws InvalidRecordError
 */
export function checkBlobRules(lexicons: Lexicons, collection: string, record: unknown): void {
  const definition = lexicons.getDefOrThrow(collection, ['record'])
  visit(lexicons, definition.record, record, 'Record')
}

function visit(lexicons: Lexicons, definition: Definition, value: unknown, path: string): void {
  if (typeof value !== 'object' || value === null) return
  switch (definition.type) {
    case 'blob':
      if (value instanceof BlobRef) checkBlob(definition, value, path)
      return
    case 'object':
      for (const [name, property] of Object.entries(definition.properties)) {
        visit(lexicons, property, (value as Record<string, unknown>)[name], `${path}/${name}`)
      }
      return
    case 'array':
      if (Array.isArray(value)) {
        for (const [index, item] of value.entries())
          visit(lexicons, definition.items, item, `${path}/${index}`)
      }
      return
    case 'ref':
      return visit(lexicons, lexicons.getDefOrThrow(definition.ref), value, path)
    case 'union': {
      const type = (value as { $type?: unknown }).$type
      const ref = typeof type === 'string' ? definition.refs.find((ref) => isSameType(ref, type)) : undefined
      if (ref !== undefined) visit(lexicons, lexicons.getDefOrThrow(ref), value, path)
    }
  }
}

/** `lex:app.bsky.embed.images#main` is `app.bsky.embed.images`. */
function isSameType(ref: string, type: string): boolean {
  const plain = (name: string) => name.replace(/^lex:/, '').replace(/#main$/, '')
  return plain(ref) === plain(type)
}

function checkBlob({ accept, maxSize }: LexBlob, { mimeType, size }: BlobRef, path: string): void {
  if (maxSize !== undefined && size > maxSize) {
    throw new InvalidRecordError(
      `${path}: this file is too large. It is ${size} bytes but the maximum size is ${maxSize} bytes.`,
    )
  }
  if (accept !== undefined && !accept.some((pattern) => isAccepted(pattern, mimeType))) {
    throw new InvalidRecordError(
      `${path}: wrong type of file. It is ${mimeType} but it must match ${accept.join(', ')}.`,
    )
  }
}

function isAccepted(pattern: string, mimeType: string): boolean {
  if (pattern === '*/*') return true
  return pattern.endsWith('/*') ? mimeType.startsWith(pattern.slice(0, -1)) : mimeType === pattern
}
