/**
 * The lexicons as validators, made of the documents that `@atproto/api` brings and of our own: for records, and for the methods that are served.
 */
import { schemas } from '@atproto/api'
import { LexiconIterableIndexer, LexiconSchemaBuilder } from '@atproto/lex-document'
import { type JsonValue, jsonToLex } from '@atproto/lex-json'
import { Procedure, Query, RecordSchema } from '@atproto/lex-schema'

import removeSecondFactors from '../lexicons/social/atoll/admin/removeSecondFactors.json' with {
  type: 'json',
}

export { Procedure, Query, RecordSchema } from '@atproto/lex-schema'

/** Methods of our own. */
const ownDocuments = [removeSecondFactors]

const definitions = await LexiconSchemaBuilder.buildAll(new LexiconIterableIndexer(documents()))

/** The definition of a record type; undefined for one that is not known here. */
export function recordSchema(nsid: string): RecordSchema | undefined {
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

/** The documents with their references in full (`nsid#name`), as the library wants them; there, `lex:` stands before and `#main` is left out. */
function documents() {
  return JSON.parse(JSON.stringify([...schemas, ...ownDocuments]), (_, value) => {
    if (typeof value !== 'string' || !value.startsWith('lex:')) return value
    const ref = value.slice('lex:'.length)
    return ref.includes('#') ? ref : `${ref}#main`
  })
}
