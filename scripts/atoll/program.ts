/** The commands of `atoll`, and what each of them takes. */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import type { Command } from 'commander'
import { root } from '../processes.ts'
import { feedCommands } from './feed/commands.ts'
import { group } from './options.ts'

const { version } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as { version: string }

/** A new program, to parse one command line. */
export function atollProgram(): Command {
  return group('atoll', 'Accounts, feeds and servers of a home in the AT Protocol network')
    .version(version)
    .addCommand(feedCommands())
}
