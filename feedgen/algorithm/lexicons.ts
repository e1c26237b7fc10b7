/** The lexicons, as definitions of algorithms are checked against them. */
import { Lexicons } from '@atproto/lexicon'
import { documents } from '#platform/lexicon-documents.ts'

export const lexicons = new Lexicons(documents)
