/**
 * How commands say what they found. The result alone goes to standard output: text for people, or with `--json` one JSON document for scripts.
 * Everything said beside it goes to standard error.
 */

export interface OutputOptions {
  json?: boolean
}

/** Prints a command's result. */
export function printResult(options: OutputOptions, value: unknown, text: () => string): void {
  process.stdout.write(`${options.json ? JSON.stringify(value, null, 2) : text()}\n`)
}

/** Says something beside the result. */
export function printNote(text: string): void {
  process.stderr.write(`${text}\n`)
}

/** Rows as columns that stand under each other. Columns named in `right` (from 0) are set to the right. */
export function table(rows: readonly (readonly string[])[], right: readonly number[] = []): string {
  const widths: number[] = []
  for (const row of rows)
    row.forEach((cell, column) => {
      widths[column] = Math.max(widths[column] ?? 0, cell.length)
    })
  const line = (row: readonly string[]) =>
    row
      .map((cell, column) =>
        right.includes(column) ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0),
      )
      .join('  ')
      .trimEnd()
  return rows.map(line).join('\n')
}

/** A text on one line, cut off where it is longer than `charsMax`. */
export function oneLine(text: string, charsMax: number): string {
  const line = text.replaceAll(/\s+/g, ' ').trim()
  const characters = [...line]
  return characters.length > charsMax ? `${characters.slice(0, charsMax - 1).join('')}…` : line
}
