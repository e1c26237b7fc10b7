/** How commands report changes to feeds. */
import { type OutputOptions, printResult } from '../output.ts'
import type { Change } from './records.ts'

/** Prints each feed's outcome and the host that its record now names. */
export function printChanges(options: OutputOptions, changes: readonly Change[]): void {
  const results = changes.map(({ uri, outcome, after }) => ({ uri, outcome, host: after.generator?.did }))
  printResult(options, results, () =>
    results
      .map(({ uri, outcome, host }) => {
        const served = host === undefined ? '' : ` (served by ${host})`
        return `${outcome.padEnd(10)} ${uri}${served}`
      })
      .join('\n'),
  )
}
