/**
 * Definitions as people type them, and the records that they stand for.
 *
 * In the short form a part of a union says its `kind` (`text`) in place of its `$type`, accounts
 * may be named by handle or by their page in the app, and records by their address there. The
 * lexicon tells where which is wanted.
 */
import { ALGORITHM_NSID } from './definition.ts'
import { InvalidDefinitionError } from './invalid.ts'
import { unknownField, unknownKind } from './kinds.ts'
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

/** Finds the DID of an account that is named by handle; says so in its error when there is none. */
export type FindDid = (handle: string) => Promise<string>

/**
 * The record that a definition stands for. What is wrong with it otherwise is left to
 * `readDefinition`.
 * @throws InvalidDefinitionError for kinds that are not known, names of nobody, addresses of
 * nothing
 */
export async function wholeOf(definition: Json, findDid: FindDid): Promise<Json> {
  const { $type, ...fields } = definition
  const isOther = $type !== undefined && $type !== kindOfRecord && $type !== ALGORITHM_NSID
  const whole = (await lengthen(fields, definitionShape(), '', findDid)) as Json
  return { $type: isOther ? $type : ALGORITHM_NSID, ...whole }
}

/** What the last part of the NSID says is enough. */
const kindOfRecord = ALGORITHM_NSID.slice(ALGORITHM_NSID.lastIndexOf('.') + 1)

async function lengthen(value: unknown, shape: Shape, path: string, findDid: FindDid): Promise<unknown> {
  switch (shape.type) {
    case 'object': {
      if (!isObject(value)) return value
      const fields: [string, unknown][] = []
      for (const [name, field] of Object.entries(value)) {
        const property = propertyOf(shape, name)
        if (property === undefined) throw unknownField(name, Object.keys(shape.properties), path)
        fields.push([name, await lengthen(field, property, under(path, name), findDid)])
      }
      return Object.fromEntries(fields)
    }
    case 'array': {
      if (!Array.isArray(value)) return value
      const items: unknown[] = []
      for (const [i, item] of value.entries())
        items.push(await lengthen(item, shape.items, under(path, i), findDid))
      return items
    }
    case 'ref':
      return lengthen(value, shapeOf(shape.ref), path, findDid)
    case 'union': {
      if (!isObject(value)) return value
      const { $type, kind = $type, ...fields } = value
      if ($type !== undefined && kind !== $type)
        throw new InvalidDefinitionError(path, `has a $type, and a kind that is another`)
      const ref = shape.refs.find((ref) => ref === `lex:${kind}` || kindOf(ref) === bare(kind))
      if (ref === undefined) throw unknownKind(kind, shape.refs, path)
      const whole = (await lengthen(fields, shapeOf(ref), path, findDid)) as Json
      return { $type: ref.slice('lex:'.length), ...whole }
    }
    case 'string':
      if (typeof value !== 'string') return value
      if (shape.format === 'did') return didOf(value, path, findDid)
      return shape.format === 'at-uri' ? uriOf(value, path, findDid) : value
    default:
      return value
  }
}

/** A kind that is written with its `#`. */
function bare(kind: unknown): unknown {
  return typeof kind === 'string' ? kind.replace(/^#/, '') : kind
}

const HANDLE = /^@?((?:[a-zA-Z0-9-]+\.)+[a-zA-Z][a-zA-Z0-9-]*)$/
const APP_PROFILE = /^https?:\/\/[^/]+\/profile\/([^/?#]+)\/?$/
const APP_RECORD =
  /^https?:\/\/[^/]+\/(?:profile\/([^/?#]+)\/(post|lists|feed)|(?:starter-pack|start)\/([^/?#]+))\/([^/?#]+)\/?(?:[?#].*)?$/
const AT_URI = /^at:\/\/([^/]+)(\/.*)?$/

const COLLECTIONS: Readonly<Record<string, string>> = {
  post: 'app.bsky.feed.post',
  lists: 'app.bsky.graph.list',
  feed: 'app.bsky.feed.generator',
}
const STARTER_PACK = 'app.bsky.graph.starterpack'

async function didOf(name: string, path: string, findDid: FindDid): Promise<string> {
  if (name.startsWith('did:')) return name
  const written = APP_PROFILE.exec(name)?.[1] ?? name
  if (written.startsWith('did:')) return written
  const handle = HANDLE.exec(written)?.[1]
  if (handle === undefined)
    throw new InvalidDefinitionError(path, `${JSON.stringify(name)} is neither a DID nor a handle`)
  return find(handle, path, findDid)
}

async function uriOf(address: string, path: string, findDid: FindDid): Promise<string> {
  const [, owner, place, packOwner, key] = APP_RECORD.exec(address) ?? []
  if (key !== undefined) {
    const did = await didOf((owner ?? packOwner) as string, path, findDid)
    return `at://${did}/${place === undefined ? STARTER_PACK : COLLECTIONS[place]}/${key}`
  }
  const [, authority, rest = ''] = AT_URI.exec(address) ?? []
  if (authority === undefined)
    throw new InvalidDefinitionError(
      path,
      `${JSON.stringify(address)} is neither an at-URI nor the address of a record in the app`,
    )
  return `at://${await didOf(authority, path, findDid)}${rest}`
}

async function find(handle: string, path: string, findDid: FindDid): Promise<string> {
  try {
    return await findDid(handle.toLowerCase())
  } catch (error) {
    throw new InvalidDefinitionError(path, (error as Error).message)
  }
}

/** The short form of a record. What it stands for is the record again. */
export function shortOf(record: Json): Json {
  const { $type: _, ...fields } = record
  return shorten(fields, definitionShape()) as Json
}

function shorten(value: unknown, shape: Shape): unknown {
  switch (shape.type) {
    case 'object':
      if (!isObject(value)) return value
      return Object.fromEntries(
        Object.entries(value).map(([name, field]) => {
          const property = propertyOf(shape, name)
          return [name, property === undefined ? field : shorten(field, property)]
        }),
      )
    case 'array':
      return Array.isArray(value) ? value.map((item) => shorten(item, shape.items)) : value
    case 'ref':
      return shorten(value, shapeOf(shape.ref))
    case 'union': {
      if (!isObject(value)) return value
      const { $type, ...fields } = value
      const ref = shape.refs.find((ref) => ref === `lex:${$type}`)
      return ref === undefined ? value : { kind: kindOf(ref), ...(shorten(fields, shapeOf(ref)) as Json) }
    }
    default:
      return value
  }
}
