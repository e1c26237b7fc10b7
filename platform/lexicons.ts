/** The lexicons as validators, of records and of the methods that are served. */
import { LexiconIterableIndexer, LexiconSchemaBuilder } from '@atproto/lex-document'
import { type JsonValue, jsonToLex } from '@atproto/lex-json'
import { Procedure, Query, RecordSchema } from '@atproto/lex-schema'
import { documents, officialDocuments } from './lexicon-documents.ts'

export { Procedure, Query, RecordSchema } from '@atproto/lex-schema'

const definitions = await LexiconSchemaBuilder.buildAll(new LexiconIterableIndexer(withFullReferences()))
const official: ReadonlySet<string> = new Set(officialDocuments.map(({ id }) => id))

/**
 * The definition of an official record type; undefined for any other. Records of Atoll's own types
 * are checked by the service that reads them: it knows their newest form, and says where they are
 * wrong.
 */
export function recordSchema(nsid: string): RecordSchema | undefined {
  if (!official.has(nsid)) return undefined
  const main = definitions.get(`${nsid}#main`)
  return main instanceof RecordSchema ? main : undefined
}

/** The definition of a method. */
export function methodSchema(nsid: string): Query | Procedure {
  const main = definitions.get(`${nsid}#main`)
  if (main instanceof Query || main instanceof Procedure) return main
  throw new Error(`${nsid} is not a method of the lexicons known here`)
}

/**
 * Checks what a method answers, as parsed JSON.
 * @throws LexValidationError
 */
export function assertValidOutput(nsid: string, body: unknown): void {
  methodSchema(nsid).output.schema?.validate(jsonToLex(body as JsonValue))
}

/**
 * The documents with their references in full (`nsid#name`), as the library wants them. Documents
 * leave `#main` out, and `Lexicons`, through which some of them went, puts `lex:` before.
 */
function withFullReferences() {
  return JSON.parse(JSON.stringify(documents), (key, value) => {
    if (key === 'ref' && typeof value === 'string') return fullReference(value)
    return key === 'refs' && Array.isArray(value) ? value.map(fullReference) : value
  })
}

function fullReference(reference: string): string {
  const ref = reference.replace(/^lex:/, '')
  return ref.includes('#') ? ref : `${ref}#main`
}
