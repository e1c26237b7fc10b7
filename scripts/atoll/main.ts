/**
 * `atoll`: the command-line tool for users with accounts and feeds, and for operators.
 *
 * Exits with 0 on success, 1 on a failure or refusal, 2 on a usage error.
 */
import { runCommand } from '../command.ts'
import { atollProgram } from './program.ts'

await runCommand(async () => {
  await atollProgram().parseAsync()
})
