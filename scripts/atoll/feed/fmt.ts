/** `atoll feed fmt`: a definition as people type it. */
import type { Command } from 'commander'
import { shortOf } from '../../../feedgen/algorithm/short.ts'
import { Network, type NetworkOptions } from '../network.ts'
import { command, examples, withNetwork } from '../options.ts'
import { type OutputOptions, printResult } from '../output.ts'
import { readDefinition } from './ask.ts'
import { printJson } from './jsonc.ts'

/** `atoll feed fmt` */
export function fmtCommand(): Command {
  return withNetwork(command('fmt', 'print a definition in its short form, as you would type it'))
    .argument('<file-or-feed>', 'a definition, or a published feed')
    .option('--whole', 'print the record instead, with every $type, DID and at-URI')
    .addHelpText(
      'after',
      examples({
        'atoll feed fmt https://bsky.app/profile/alice.example.com/feed/cats':
          'the algorithm of a published feed; comments of a file are not printed',
        'atoll feed fmt cats.jsonc --whole': 'the record that would be published',
      }),
    )
    .action(async (name: string, options: NetworkOptions & OutputOptions & { whole?: boolean }) => {
      const record = await readDefinition(name, new Network(options))
      const shown = options.whole ? record : shortOf(record)
      printResult(options, shown, () => printJson(shown))
    })
}
