/** Definitions in files: JSON with comments, as in the record or in the short form. */
import { readFileSync, writeFileSync } from 'node:fs'
import { text } from 'node:stream/consumers'
import { compile, type Plan } from '../../../feedgen/algorithm/compile.ts'
import { warningsOf } from '../../../feedgen/algorithm/lint.ts'
import { InvalidDefinitionError, readDefinition } from '../../../feedgen/algorithm/read.ts'
import { isObject } from '../../../feedgen/algorithm/shape.ts'
import { wholeOf } from '../../../feedgen/algorithm/short.ts'
import type { Warning } from '../../../feedgen/algorithm/warning.ts'
import { CommandError } from '../../command.ts'
import type { Network } from '../network.ts'
import { JsoncError, parseJsonc } from './jsonc.ts'
import type { RecordValue } from './records.ts'

export interface DefinitionFile {
  /**
   * The record, as it stands in the file; with the present time where the file has no `createdAt`.
   */
  record: RecordValue
  plan: Plan
  warnings: Warning[]
}

/**
 * Reads a definition from a file, or from standard input when that is called `-`; handles in it are
 * looked up.
 * @throws CommandError when there is none, or it is not valid: then with the path of what is wrong
 */
export async function readDefinitionFile(
  file: string,
  network: Pick<Network, 'findAccount'>,
): Promise<DefinitionFile> {
  const json = await readJson(file)
  if (!isObject(json)) {
    throw new CommandError(`${file} holds no definition: that is an object with "sources".`)
  }
  const dids = new Map<string, Promise<string>>()
  const findDid = (handle: string): Promise<string> => {
    const did = dids.get(handle) ?? network.findAccount(handle).then((account) => account.did)
    dids.set(handle, did)
    return did
  }
  try {
    const record = await wholeOf({ createdAt: new Date().toISOString(), ...json }, findDid)
    const plan = compile(readDefinition(record))
    return { record, plan, warnings: warningsOf(plan.definition) }
  } catch (error) {
    if (error instanceof InvalidDefinitionError)
      throw new CommandError(`${file} is not valid: ${error.message}`)
    throw error
  }
}

/** A warning on one line. */
export function warningLine({ path, says }: Warning): string {
  return `warning  ${path}: ${says}`
}

/**
 * Reads JSON from a file, or from standard input when that is called `-`.
 * @throws CommandError when it cannot be read
 */
export async function readJson(file: string): Promise<unknown> {
  let content: string
  try {
    content = file === '-' ? await text(process.stdin) : readFileSync(file, 'utf8')
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    throw new CommandError(
      code === 'ENOENT' ? `There is no file ${file}.` : `Could not read ${file}: ${message}`,
    )
  }
  try {
    return parseJsonc(content)
  } catch (error) {
    if (error instanceof JsoncError) throw new CommandError(`${file} is not JSON: ${error.message}`)
    throw error
  }
}

/**
 * Writes JSON to a file.
 * @throws CommandError when it cannot be written
 */
export function writeJson(file: string, value: unknown): void {
  try {
    writeFileSync(file, `${JSON.stringify(value, null, 2)}\n`)
  } catch (error) {
    throw new CommandError(`Could not write ${file}: ${(error as Error).message}`)
  }
}
