/** The README's table of differences is the one that the suite holds both servers to. */
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { root } from '../support/processes.ts'
import { deliberateDifferences } from './deliberate.ts'

const HEADING = '## Where it differs from `@atproto/pds` on purpose'

/** The rows of the README's table, as they stand there. */
function rowsOfReadme(): string[] {
  const readme = readFileSync(path.join(root, 'README.md'), 'utf8')
  const start = readme.indexOf(HEADING)
  expect(start).toBeGreaterThan(0)
  const section = readme.slice(start + HEADING.length, readme.indexOf('\n## ', start + HEADING.length))
  return section.split('\n').filter((line) => line.startsWith('| ') && !line.startsWith('| |'))
}

test('the README’s table has a row for each difference, and no other', () => {
  const rows = deliberateDifferences.map(
    ({ title, atoll, reference, why }) => `| ${title} | ${atoll} | ${reference} | ${why} |`,
  )
  expect(rowsOfReadme()).toEqual(rows)
})

test.each(deliberateDifferences)('$title: is shown somewhere', ({ cases, test }) => {
  if (test !== undefined) expect(existsSync(path.join(root, test)), test).toBe(true)
  else expect(cases?.length).toBeGreaterThan(0)
})
