/** `atoll feed move`: one's own feed, served by another host. */
import type { Command } from 'commander'
import { CommandError } from '../../command.ts'
import { Network } from '../network.ts'
import { command, examples, withSignIn } from '../options.ts'
import type { OutputOptions } from '../output.ts'
import { type AccountOptions, withAccount } from '../sign-in.ts'
import { printChanges } from './changes.ts'
import { readDefinitionFile } from './file.ts'
import { findHost } from './host.ts'
import { algorithmOf, changeFeed } from './records.ts'
import { parseOwnFeed } from './reference.ts'

/** `atoll feed move` */
export function moveCommand(): Command {
  return withSignIn(
    command('move', 'have a feed of yours served by another host; its URI, likes, pins and picture stay'),
  )
    .argument('<feed>', 'its key or URI')
    .requiredOption('--to <host>', 'DID, URL or host name of the feed generator')
    .option(
      '--definition <file>',
      'the definition of its algorithm, where it has none yet or another is wanted',
    )
    .addHelpText(
      'after',
      examples({
        'atoll feed move cats --to feeds.example.com': 'from one host of this software to another',
        'atoll feed move cats --to feeds.example.com --definition cats.json':
          'away from a host that kept the algorithm to itself; see atoll feed import',
      }),
    )
    .action(async (name: string, options: AccountOptions & OutputOptions & MoveOptions) => {
      const { definition } = options
      const file =
        definition === undefined ? undefined : await readDefinitionFile(definition, new Network(options))
      const change = await withAccount(options, async ({ agent, network }) => {
        const rkey = parseOwnFeed(name, agent)
        const host = await findHost(options.to, network)
        return changeFeed(agent, rkey, (before) => {
          if (!before.generator) throw new CommandError(`You have no feed with the key ${rkey}.`)
          if (!file && !before.algorithm) {
            throw new CommandError(
              `${rkey} has no definition that ${host.did} could serve it by. Give one with --definition FILE; atoll feed import makes one of SkyFeed's and Graze's.`,
            )
          }
          return {
            generator: { ...before.generator.value, did: host.did },
            algorithm: file ? algorithmOf(before, file.record) : before.algorithm?.value,
          }
        })
      })
      printChanges(options, [change])
    })
}

interface MoveOptions {
  to: string
  definition?: string
}
