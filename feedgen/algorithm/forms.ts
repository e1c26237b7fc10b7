/**
 * The forms in which tags, languages and hosts are compared: posts and definitions are brought to
 * the same.
 */
import { domainToASCII } from 'node:url'
import { folded } from './words.ts'

/** A hashtag without its `#`, folded as words are. */
export function tagForm(tag: string): string {
  return folded(tag).trim().replace(/^#+/, '').trim()
}

/** Forms remembered: posts declare the same few. */
const REMEMBERED_MAX = 2000
const languages = new Map<string, string>()
const scripted = new Map<string, string>()

/**
 * A language tag or range as BCP 47 has it, in lower case: `pt_BR` is `pt-br`, `eng` is `en`. What
 * is none stays as it is.
 */
export function languageForm(tag: string): string {
  return remembered(languages, tag, () => {
    const plain = tag.trim().replaceAll('_', '-')
    try {
      return (Intl.getCanonicalLocales(plain)[0] ?? plain).toLowerCase()
    } catch {
      return plain.toLowerCase()
    }
  })
}

/**
 * Whether a range takes in a tag, both in their form: by extended filtering of RFC 4647, where
 * `zh-tw` is written in `hant`.
 */
export function takesIn(range: string, tag: string): boolean {
  return (
    filters(range, tag) ||
    filters(
      range,
      remembered(scripted, tag, () => withScript(tag)),
    )
  )
}

function filters(range: string, tag: string): boolean {
  if (range === tag) return true
  const [language, ...wanted] = range.split('-')
  const [said, ...parts] = tag.split('-')
  if (language !== '*' && language !== said) return false
  let at = 0
  for (const part of wanted) {
    if (part === '*') continue
    while (parts[at] !== part) {
      // Behind a single letter stands what is private or an extension.
      if (at >= parts.length || parts[at]?.length === 1) return false
      at++
    }
    at++
  }
  return true
}

/** The tag with the script that its region writes, where it names none. */
function withScript(tag: string): string {
  try {
    const locale = new Intl.Locale(tag)
    if (locale.script !== undefined || locale.region === undefined) return tag
    const { script } = locale.maximize()
    return [locale.language, script, ...tag.split('-').slice(1)].join('-').toLowerCase()
  } catch {
    return tag
  }
}

const languageNames = new Intl.DisplayNames(['en'], { type: 'language', fallback: 'none' })

/** Whether there is such a language. */
export function isLanguage(range: string): boolean {
  const language = range.split('-', 1)[0] as string
  if (language === '*') return true
  try {
    return languageNames.of(language) !== undefined
  } catch {
    return false
  }
}

/**
 * A host, or the host of a URL: lower case, ASCII (IDNA), without `www.` and the dot at its end. An
 * empty string when there is none.
 */
export function hostForm(text: string): string {
  const [, host = ''] =
    /^(?:[a-z][a-z0-9+.-]*:)?(?:\/\/)?(?:[^/?#@]*@)?(?:\*\.)?([^/?#:]+)/iu.exec(text.trim()) ?? []
  const ascii = /^[\w.-]*$/.test(host) ? host.toLowerCase() : domainToASCII(host.normalize('NFKC'))
  return ascii.replace(/^www\.|\.$/g, '')
}

function remembered(map: Map<string, string>, key: string, make: () => string): string {
  let value = map.get(key)
  if (value === undefined) {
    value = make()
    if (map.size >= REMEMBERED_MAX) map.clear()
    map.set(key, value)
  }
  return value
}
