/**
 * Many rows as one. A row costs more on its way out of the database than inside it, so lists that
 * are read in bulk leave it joined: their numbers as a text, their byte strings back to back.
 */
import { type RawBuilder, sql } from 'kysely'

/** The values of a column as one text with commas between them; null when there are no rows. */
export const listed = (column: string): RawBuilder<string | null> => sql`group_concat(${sql.ref(column)})`

/** The lengths of a column's byte strings, as `listed`. */
export const lengths = (column: string): RawBuilder<string | null> =>
  sql`group_concat(length(${sql.ref(column)}))`

/**
 * Byte strings back to back; null when there are no rows. Joined as texts, which leaves their bytes
 * alone.
 */
export const joined = (value: RawBuilder<Buffer>): RawBuilder<Buffer> =>
  sql`CAST(group_concat(${value}, '') AS BLOB)`

/** The numbers of a `listed` text. */
export function numbersIn(text: string | null): number[] {
  return text === null ? [] : text.split(',').map(Number)
}

/** How many of the first lengths it takes to reach a sum; all of them when they do not. */
export function countUpTo(sum: number, lengths: readonly number[]): number {
  let count = 0
  for (let reached = 0; count < lengths.length && reached < sum; count++) reached += lengths[count] as number
  return count
}

/** The byte strings of a run, as views of it. */
export function cut(run: Buffer, lengths: readonly number[]): Buffer[] {
  let at = 0
  return lengths.map((length) => {
    const from = at
    at += length
    return run.subarray(from, at)
  })
}
