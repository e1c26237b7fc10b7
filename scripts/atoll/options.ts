/** Options that several commands have, and what their values may be. */
import { isValidRecordKey } from '@atproto/syntax'
import { Command, InvalidArgumentError, Option } from 'commander'
import { usageExitCode } from '../command.ts'

/** A command that does something: all of these have `--json`. */
export function command(name: string, summary: string): Command {
  return group(name, summary).option('--json', 'print the result as JSON')
}

/** A command that has commands below it. A wrong command line ends with 2. */
export function group(name: string, summary: string): Command {
  return new Command(name)
    .description(summary)
    .showHelpAfterError('(--help says more)')
    .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : usageExitCode))
}

/** The options of a command that looks accounts up. */
export function withNetwork(command: Command): Command {
  return command
    .addOption(
      new Option('--service, --pds <url>', 'the PDS of the account, instead of looking it up').argParser(url),
    )
    .addOption(new Option('--plc <url>', 'the PLC directory').env('PDS_DID_PLC_URL').argParser(url))
}

/** The options of a command that signs in. */
export function withSignIn(command: Command): Command {
  return withNetwork(
    command.option(
      '-a, --account <name>',
      'handle or DID to sign in as (default: ATOLL_ACCOUNT); the password is taken from ATOLL_PASSWORD or asked for',
    ),
  )
}

/** Examples below a command's help, each a command line and what it does. */
export function examples(lines: Record<string, string>): string {
  const entries = Object.entries(lines).map(([line, what]) => `  ${line}\n      ${what}`)
  return `\nExamples:\n${entries.join('\n')}`
}

/** A record key. */
export function recordKey(text: string): string {
  if (!isValidRecordKey(text)) throw new InvalidArgumentError('It must be letters, digits and . _ : ~ -')
  return text
}

/** A URL without a slash at the end. */
export function url(text: string): string {
  if (!URL.canParse(text) || !/^https?:/.test(text)) {
    throw new InvalidArgumentError('It must be a URL that starts with https:// or http://.')
  }
  return text.replace(/\/+$/, '')
}

/** A parser of whole numbers within bounds. */
export function integer(min: number, max: number): (text: string) => number {
  return (text) => {
    const number = Number(text)
    if (!Number.isInteger(number) || number < min || number > max) {
      throw new InvalidArgumentError(`It must be a whole number from ${min} to ${max}.`)
    }
    return number
  }
}
