/** `atoll feed fork`: another's algorithm as one's own, with a reference to where it came from. */
import type { Command } from 'commander'
import { readDefinition } from '../../../feedgen/algorithm/read.ts'
import { CommandError, UsageError } from '../../command.ts'
import { Network } from '../network.ts'
import { command, examples, recordKey, withSignIn } from '../options.ts'
import { type OutputOptions, printResult } from '../output.ts'
import { type AccountOptions, withAccount } from '../sign-in.ts'
import { builtInDefinition } from './ask.ts'
import { printChanges } from './changes.ts'
import { writeJson } from './file.ts'
import { findHost, presetHost } from './host.ts'
import { generatorOf, type Presentation, uploadAvatar, withPresentation } from './presentation.ts'
import { changeFeed, type FeedRecords, hostOf, type RecordValue, readFeed } from './records.ts'
import { parseFeed } from './reference.ts'

type ForkOptions = AccountOptions &
  Presentation &
  OutputOptions & { rkey?: string; host?: string; out?: string }

/** `atoll feed fork` */
export function forkCommand(): Command {
  return withSignIn(
    withPresentation(command('fork', "make another's algorithm your own, to change as you like")),
  )
    .argument('<feed>', 'its URI, or its address in the app')
    .option('--rkey <key>', 'the record key of your feed (default: the same)', recordKey)
    .option('-o, --out <file>', 'only write the definition to a file, to be changed and published later')
    .addHelpText(
      'after',
      examples({
        'atoll feed fork https://bsky.app/profile/alice.example.com/feed/cats --out cats.json':
          'its definition as a file: change it, then atoll feed preview cats.json and atoll feed publish cats.json',
        'atoll feed fork at://alice.example.com/app.bsky.feed.generator/cats --name "My cats"':
          'the feed as it is, in your own repository, served by the same host',
      }),
    )
    .action(async (name: string, options: ForkOptions) => {
      if (options.out === undefined) return publishFork(name, options)
      const { record, uri } = await readOriginal(name, new Network(options))
      writeJson(options.out, record)
      printResult(options, { forkOf: uri, file: options.out }, () => `forked     ${uri} to ${options.out}`)
    })
}

async function publishFork(name: string, options: ForkOptions): Promise<void> {
  const change = await withAccount(options, async ({ agent, network }) => {
    const original = await readOriginal(name, network)
    const rkey = options.rkey ?? original.rkey
    const host = options.host === undefined ? undefined : (await findHost(options.host, network)).did
    const avatar = options.avatar === undefined ? undefined : await uploadAvatar(agent, options.avatar)
    return changeFeed(agent, rkey, (before) => {
      if (before.generator || before.algorithm) {
        throw new CommandError(`You have a feed with the key ${rkey} already: give another with --rkey.`)
      }
      const { displayName, description } = original.feed.generator?.value ?? {}
      return {
        generator: generatorOf(
          {},
          {
            name: text(displayName),
            description: text(description),
            ...given(options),
            rkey,
            avatar,
            definition: readDefinition(original.record),
            did: host ?? hostOf(original.feed.generator) ?? presetHost().did,
          },
        ),
        algorithm: original.record,
      }
    })
  })
  printChanges(options, [change])
}

interface Original {
  rkey: string
  uri: string
  feed: FeedRecords
  /** The definition as a new record, which says where it came from if that is a record. */
  record: RecordValue
}

async function readOriginal(name: string, network: Network): Promise<Original> {
  const { repo, rkey } = parseFeed(name)
  if (repo === undefined) throw new UsageError('Name the feed by its URI: your own needs no fork.')
  const feed = await readFeed(await network.findAccount(repo), rkey)
  const createdAt = new Date().toISOString()
  if (feed.algorithm) {
    const { uri, cid, value } = feed.algorithm
    return { rkey, uri, feed, record: { ...value, forkOf: { uri, cid }, createdAt } }
  }
  if (!feed.generator) throw new CommandError(`There is no feed ${name}.`)
  const builtIn = await builtInDefinition(feed, network)
  if (builtIn) return { rkey, uri: feed.generator.uri, feed, record: { ...builtIn, createdAt } }
  throw new CommandError(
    `${feed.generator.uri} has no definition to fork: only its host knows its algorithm, ${feed.generator.value.did}.`,
  )
}

function given({ name, description }: Presentation): Presentation {
  return { ...(name !== undefined && { name }), ...(description !== undefined && { description }) }
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}
