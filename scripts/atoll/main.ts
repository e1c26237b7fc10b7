/**
 * `atoll`: the command-line tool for people who have accounts and feeds, and for those who run the servers.
 *
 * Ends with 0 when all is done, 1 when something failed or was refused, 2 when the command line is wrong.
 */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { runCommand } from '../command.ts'
import { root } from '../processes.ts'
import { feedCommands } from './feed/commands.ts'
import { group } from './options.ts'

const { version } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as { version: string }

const program = group('atoll', 'Accounts, feeds and servers of a home in the AT Protocol network')
  .version(version)
  .addCommand(feedCommands())

await runCommand(async () => {
  await program.parseAsync()
})
