/** The table of differences is the one that the suite holds both servers to. */
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { root } from '../support/processes.ts'
import { deliberateDifferences } from './deliberate.ts'

/** The rows of the table, as they stand there. */
function rowsOfTable(): string[] {
  const readme = readFileSync(path.join(root, 'test/conformance/README.md'), 'utf8')
  const [table = ''] = readme.slice(readme.indexOf('| | Atoll |')).split('\n\n')
  return table.split('\n').filter((line) => line.startsWith('| ') && !line.startsWith('| |'))
}

test('test/conformance/README.md has a row for each difference, and no other', () => {
  const rows = deliberateDifferences.map(
    ({ title, atoll, reference, why }) => `| ${title} | ${atoll} | ${reference} | ${why} |`,
  )
  expect(rowsOfTable()).toEqual(rows)
})

test.each(deliberateDifferences)('$title: is shown somewhere', ({ cases, test }) => {
  if (test !== undefined) expect(existsSync(path.join(root, test)), test).toBe(true)
  else expect(cases?.length).toBeGreaterThan(0)
})
