/** Definitions in files: JSON, as in the record. */
import { readFileSync, writeFileSync } from 'node:fs'
import { text } from 'node:stream/consumers'
import { ALGORITHM_NSID } from '../../../feedgen/algorithms/definition.ts'
import { warningsOf } from '../../../feedgen/algorithms/lint.ts'
import { compile, type Plan } from '../../../feedgen/algorithms/plan.ts'
import { InvalidDefinitionError, readDefinition } from '../../../feedgen/algorithms/read.ts'
import type { Warning } from '../../../feedgen/algorithms/warning.ts'
import { CommandError } from '../../command.ts'
import type { RecordValue } from './records.ts'

export interface DefinitionFile {
  /** The record, as it stands in the file; with the present time where the file has no `createdAt`. */
  record: RecordValue
  plan: Plan
  warnings: Warning[]
}

/**
 * Reads a definition from a file, or from standard input when that is called `-`.
 * @throws CommandError when there is none, or it is not valid: then with the path of what is wrong
 */
export async function readDefinitionFile(file: string): Promise<DefinitionFile> {
  const json = await readJson(file)
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    throw new CommandError(`${file} holds no definition: that is an object with "sources".`)
  }
  const record = { $type: ALGORITHM_NSID, createdAt: new Date().toISOString(), ...json }
  try {
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
    return JSON.parse(content)
  } catch (error) {
    throw new CommandError(`${file} is not JSON: ${(error as Error).message}`)
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
