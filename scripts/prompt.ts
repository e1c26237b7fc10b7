/** Questions to the person at the terminal. */
import { once } from 'node:events'
import { createInterface } from 'node:readline/promises'
import { Writable } from 'node:stream'
import { CommandError, UsageError } from './command.ts'

/**
 * Asks for a line of text; what is typed is not shown when it is hidden. The question goes to
 * standard error, so that the output stays the result.
 * @param missing what to say where there is no terminal to ask on: `--account is missing`
 * @throws UsageError where there is no terminal, CommandError when nothing was entered
 */
export async function question(prompt: string, missing: string, { hidden = false } = {}): Promise<string> {
  if (!process.stdin.isTTY)
    throw new UsageError(`${missing}, and there is no terminal to ask on; see --help.`)
  const silence = new Writable({ write: (_chunk, _encoding, done) => done() })
  const output = hidden ? silence : process.stderr
  const terminal = createInterface({ input: process.stdin, output, terminal: true })
  // Ctrl-C and Ctrl-D.
  const closed = once(terminal, 'close').then(() => '')
  if (hidden) process.stderr.write(prompt)
  const answer = await Promise.race([terminal.question(prompt), closed])
  terminal.close()
  if (hidden) process.stderr.write('\n')
  if (answer === '') throw new CommandError('Nothing was entered.')
  return answer
}
