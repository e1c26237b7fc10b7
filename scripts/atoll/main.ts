/**
 * `atoll`: the command-line tool for people who have accounts and feeds, and for those who run the servers.
 *
 * Ends with 0 when all is done, 1 when something failed or was refused, 2 when the command line is wrong.
 */
import { runCommand } from '../command.ts'
import { atollProgram } from './program.ts'

await runCommand(async () => {
  await atollProgram().parseAsync()
})
