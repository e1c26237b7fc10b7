/** `atoll feed`: algorithms as records of one's own. */
import type { Command } from 'commander'
import { group } from '../options.ts'
import { backtestCommand } from './backtest.ts'
import { explainCommand } from './explain.ts'
import { fmtCommand } from './fmt.ts'
import { forkCommand } from './fork.ts'
import { importCommand } from './import.ts'
import { listCommand } from './list.ts'
import { moveCommand } from './move.ts'
import { previewCommand } from './preview.ts'
import { publishCommand, unpublishCommand } from './publish.ts'
import { validateCommand } from './validate.ts'

/** `atoll feed` and what belongs to it. */
export function feedCommands(): Command {
  const feed = group('feed', 'algorithms: try, publish, fork, move and import them')
  for (const make of [
    validateCommand,
    fmtCommand,
    previewCommand,
    explainCommand,
    backtestCommand,
    publishCommand,
    unpublishCommand,
    forkCommand,
    moveCommand,
    listCommand,
    importCommand,
  ])
    feed.addCommand(make())
  return feed
}
