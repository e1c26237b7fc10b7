/** `atoll feed list`: the feeds of an account, or those that a host knows. */
import type { Command } from 'commander'
import { CommandError } from '../../command.ts'
import { Network, type NetworkOptions } from '../network.ts'
import { command, examples, withNetwork } from '../options.ts'
import { type OutputOptions, printResult, table } from '../output.ts'
import { accountName } from '../sign-in.ts'
import { findHost } from './host.ts'
import { hostOf, listFeeds, type StoredRecord } from './records.ts'
import { feedUris } from './reference.ts'
import type { AlgorithmView } from './serving.ts'

const pageItems = 100
/** How many of a host's algorithms are listed. */
const itemsMax = 10_000

interface Row {
  uri: string
  name?: string
  host?: string
  /** Whether there is a definition in the repository, or what is against it at the host. */
  algorithm: boolean
  forkOf?: string
  refusal?: string
}

/** `atoll feed list` */
export function listCommand(): Command {
  return withNetwork(command('list', 'the feeds of an account, or the algorithms that a host knows'))
    .argument('[account]', 'handle or DID (default: ATOLL_ACCOUNT)')
    .option('--host <host>', 'DID, URL or host name of a feed generator: what is known there')
    .addHelpText(
      'after',
      examples({
        'atoll feed list alice.example.com': 'her feeds, who serves them and whether their algorithm is hers',
        'atoll feed list --host feeds.example.com': 'all algorithms that this host knows, to read and fork',
      }),
    )
    .action(
      async (account: string | undefined, options: NetworkOptions & OutputOptions & { host?: string }) => {
        const network = new Network(options)
        const rows =
          options.host === undefined
            ? await feedsOf(await network.findAccount(await accountName({ account })))
            : await algorithmsAt(options.host, network, account)
        printResult(options, rows, () => (rows.length === 0 ? 'There are none.' : table(rows.map(cells))))
      },
    )
}

async function feedsOf(account: Parameters<typeof listFeeds>[0]): Promise<Row[]> {
  const feeds = await listFeeds(account)
  return [...feeds].map(([rkey, { generator, algorithm }]) => ({
    uri: feedUris(account, rkey).feed,
    ...text('name', generator?.value.displayName),
    ...text('host', hostOf(generator)),
    algorithm: algorithm !== undefined,
    ...text('forkOf', origin(algorithm)),
  }))
}

async function algorithmsAt(name: string, network: Network, account: string | undefined): Promise<Row[]> {
  const host = await findHost(name, network)
  const creator: Record<string, string> =
    account === undefined ? {} : { creator: (await network.findAccount(account)).did }
  const rows: Row[] = []
  for (let cursor: string | undefined; ; ) {
    const params = { ...creator, ...(cursor !== undefined && { cursor }), limit: pageItems }
    const page: { cursor?: string; algorithms: AlgorithmView[] } = await host.ask(
      'list the algorithms',
      'listAlgorithms',
      { params },
    )
    for (const { uri, feed, served, refusal, definition } of page.algorithms) {
      rows.push({
        uri: feed,
        ...(served && { host: host.did }),
        algorithm: true,
        ...text('forkOf', origin({ uri, cid: '', value: definition })),
        ...text('refusal', refusal && [refusal.path, refusal.reason].filter(Boolean).join(': ')),
      })
    }
    cursor = page.cursor
    if (cursor === undefined) return rows
    if (rows.length >= itemsMax) throw new CommandError(`There are more than ${itemsMax}: name an account.`)
  }
}

function cells({ uri, name, host, algorithm, forkOf, refusal }: Row): string[] {
  const notes = [
    refusal !== undefined && `refused: ${refusal}`,
    forkOf !== undefined && `forked from ${forkOf}`,
    !algorithm && 'no definition',
  ].filter((note) => note !== false)
  return [uri, name ?? '', host ?? 'not served', notes.join('; ')]
}

function origin(algorithm: StoredRecord | undefined): unknown {
  return (algorithm?.value.forkOf as { uri?: unknown } | undefined)?.uri
}

function text<Name extends string>(name: Name, value: unknown): { [name in Name]?: string } {
  return typeof value === 'string' ? ({ [name]: value } as { [name in Name]?: string }) : {}
}
