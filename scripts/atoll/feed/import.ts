/** `atoll feed import`: feeds that were made elsewhere, as definitions. */
import type { Command } from 'commander'
import { warningsOf } from '../../../feedgen/algorithm/lint.ts'
import { readDefinition, writeDefinition } from '../../../feedgen/algorithm/read.ts'
import { CommandError } from '../../command.ts'
import { importGraze } from '../import/graze.ts'
import { type DidOf, ImportError, type Imported, type Note } from '../import/imported.ts'
import { importSkyfeed } from '../import/skyfeed.ts'
import { Network, type NetworkOptions } from '../network.ts'
import { command, examples, group, withNetwork } from '../options.ts'
import { type OutputOptions, printNote, printResult } from '../output.ts'
import { readJson, warningLine, writeJson } from './file.ts'
import { readFeed } from './records.ts'
import { parseFeed } from './reference.ts'

interface ImportOptions extends NetworkOptions, OutputOptions {
  out?: string
  strict?: boolean
  partial?: boolean
}

/** `atoll feed import` */
export function importCommand(): Command {
  return group('import', 'make a definition of a feed that was built elsewhere')
    .addCommand(
      importer('skyfeed', 'the blocks of SkyFeed’s builder', async (from, network, didOf) =>
        importSkyfeed(await skyfeedDocument(from, network), didOf),
      )
        .argument('<file-or-feed>', 'the feed’s record, its blocks as JSON, or the feed itself')
        .addHelpText(
          'after',
          examples({
            'atoll feed import skyfeed at://alice.example.com/app.bsky.feed.generator/aaabbb --out cats.json':
              'from the record, where SkyFeed keeps the blocks; then atoll feed move aaabbb --to HOST --definition cats.json',
          }),
        ),
    )
    .addCommand(
      importer('graze', 'a Graze manifest', async (file, _network, didOf) =>
        importGraze(await readJson(file), didOf),
      )
        .argument('<file>', 'the manifest, with or without what is around it')
        .addHelpText(
          'after',
          examples({
            'atoll feed import graze manifest.json --out cats.json':
              'writes the definition, and says what was lost',
          }),
        ),
    )
}

type Import = (from: string, network: Network, didOf: DidOf) => Promise<Imported>

function importer(name: string, summary: string, make: Import): Command {
  return withNetwork(command(name, summary))
    .option('-o, --out <file>', 'where the definition goes (default: it is printed)')
    .option('--strict', 'fail when anything is lost')
    .option(
      '--partial',
      'go on without conditions that cannot be carried over, with the posts that they kept out',
    )
    .action(async (from: string, options: ImportOptions) => {
      const network = new Network(options)
      const imported = await make(from, network, didOfNetwork(network)).catch((error) => {
        if (error instanceof ImportError)
          throw new CommandError(`${from} cannot be imported: ${error.message}`)
        throw error
      })
      report(imported, options)
    })
}

function report({ definition, name, description, notes }: Imported, options: ImportOptions): void {
  const record = writeDefinition(definition)
  // What goes out can be published; where it cannot, the report names the part.
  readDefinition(record)
  const lost = notes.filter(({ kind }) => kind === 'lost').length
  if (options.strict && lost > 0) {
    throw new CommandError(
      [...notes.map(line), `${lost} parts would be lost: nothing was written.`].join('\n'),
    )
  }
  const widening = notes.filter(({ widens }) => widens)
  if (widening.length > 0 && !options.partial) {
    throw new CommandError(
      [
        ...widening.map(line),
        `${widening.length} conditions would be lost, and the feed would have posts that they keep out: nothing was written.`,
        'Take them out of the original, or go on without them with --partial.',
      ].join('\n'),
    )
  }
  if (options.out !== undefined) writeJson(options.out, record)
  const warnings = warningsOf(definition)
  if (!options.json) {
    for (const note of notes) printNote(line(note))
    for (const warning of warnings) printNote(warningLine(warning))
  }
  const result = {
    definition: record,
    ...(name && { name }),
    ...(description && { description }),
    notes,
    warnings,
  }
  printResult(options, result, () =>
    options.out === undefined
      ? JSON.stringify(record, null, 2)
      : `${summary(notes)} Written to ${options.out}.`,
  )
}

function summary(notes: readonly Note[]): string {
  const of = (wanted: Note['kind']) => notes.filter(({ kind }) => kind === wanted).length
  const assumed = of('assumed') > 0 ? ` ${of('assumed')} things were assumed.` : ''
  if (of('lost') + of('changed') === 0) return `All of it was carried over.${assumed}`
  return `${of('lost')} parts were lost, ${of('changed')} changed.${assumed}`
}

function line({ at, kind, says }: Note): string {
  return `${kind.padEnd(8)} ${at}: ${says}`
}

async function skyfeedDocument(from: string, network: Network): Promise<unknown> {
  if (!/^(at|https?):\/\//.test(from)) return readJson(from)
  const { repo = '', rkey } = parseFeed(from)
  const { generator } = await readFeed(await network.findAccount(repo), rkey)
  if (!generator) throw new CommandError(`There is no feed ${from}.`)
  return generator.value
}

function didOfNetwork(network: Network): DidOf {
  return async (handle) => {
    try {
      return (await network.findAccount(handle)).did
    } catch (error) {
      if (error instanceof CommandError) return undefined
      throw error
    }
  }
}
