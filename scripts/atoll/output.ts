/**
 * How commands print. Standard output gets only the result: text for people, or with `--json` one
 * JSON document for scripts. Everything else goes to standard error.
 */

export interface OutputOptions {
  json?: boolean
}

/** Prints a command's result. */
export function printResult(options: OutputOptions, value: unknown, text: () => string): void {
  process.stdout.write(`${options.json ? JSON.stringify(value, null, 2) : text()}\n`)
}

/** Prints a message to standard error. */
export function printNote(text: string): void {
  process.stderr.write(`${text}\n`)
}

/** Formats rows as aligned columns; those listed in `right` (from 0) are right-aligned. */
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

/** A text on one line, truncated to `charsMax`. */
export function oneLine(text: string, charsMax: number): string {
  const line = text.replaceAll(/\s+/g, ' ').trim()
  const characters = [...line]
  return characters.length > charsMax ? `${characters.slice(0, charsMax - 1).join('')}…` : line
}
