/** Whether posts are in languages that somebody reads, by the languages that the posts declare. */
import type { CborObject } from '#protocol/cbor.ts'
import { isLanguage, languageForm } from './forms.ts'

/** What somebody reads, as apps say it in `Accept-Language`. */
export interface ReadLanguages {
  /** As they were said, the most wanted first. */
  readonly tags: readonly string[]
  /**
   * Without regions and scripts: someone who reads `pt-BR` reads `pt` and `pt-PT` too, which is as
   * apps compare them.
   */
  readonly languages: ReadonlySet<string>
}

/** Codes that name no language: undetermined, several, not coded, none. */
const NO_LANGUAGE = new Set(['und', 'mul', 'mis', 'zxx'])
/** Languages that those read who read the other. */
const ALIKE = new Map([
  ['nb', 'no'],
  ['nn', 'no'],
])

/** The languages of these tags; those that name none are left out. */
export function readLanguages(tags: readonly string[]): ReadLanguages {
  const known = tags.filter((tag) => isLanguage(languageForm(tag)) && !NO_LANGUAGE.has(languageOf(tag)))
  return { tags: known, languages: new Set(known.map(languageOf)) }
}

/** Whether a post is in one of the languages. One that declares none is for everybody. */
export function isRead({ languages }: ReadLanguages, post: CborObject | undefined): boolean {
  const tags = Array.isArray(post?.langs) ? post.langs.filter((tag) => typeof tag === 'string') : []
  const declared = readLanguages(tags).languages
  return declared.size === 0 || !declared.isDisjointFrom(languages)
}

function languageOf(tag: string): string {
  const [language = ''] = languageForm(tag).split('-', 1)
  return ALIKE.get(language) ?? language
}
