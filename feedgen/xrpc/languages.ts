/** The languages apps send: https://www.rfc-editor.org/rfc/rfc9110#section-12.5.4 */
import { type ReadLanguages, readLanguages } from '../algorithm/languages.ts'

/** Beyond this, only the most preferred count. */
const LANGUAGES_MAX = 50

/** The languages of an `Accept-Language` header; undefined when it names none or accepts any. */
export function acceptedLanguages(header: string | undefined): ReadLanguages | undefined {
  const ranges = (header ?? '').split(',').flatMap((part) => {
    const [, tag, q = '1'] =
      /^\s*([a-z]{1,8}(?:-[a-z0-9]{1,8})*|\*)\s*(?:;\s*q=([\d.]{1,5})\s*)?$/i.exec(part) ?? []
    return tag !== undefined && Number(q) > 0 ? { tag, q: Number(q) } : []
  })
  if (ranges.some(({ tag }) => tag === '*')) return undefined
  const wanted = ranges.sort((a, b) => b.q - a.q).slice(0, LANGUAGES_MAX)
  const read = readLanguages([...new Set(wanted.map(({ tag }) => tag))])
  return read.tags.length > 0 ? read : undefined
}
