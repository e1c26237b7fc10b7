/**
 * What the commands that ask a host about feeds have in common: which host, for whom, about which
 * definition.
 */
import type { AtpAgent } from '@atproto/api'
import type { Command } from 'commander'
import { CommandError } from '../../command.ts'
import { Network } from '../network.ts'
import { withNetwork } from '../options.ts'
import { type AccountOptions, withAccount } from '../sign-in.ts'
import { readDefinitionFile } from './file.ts'
import { findHost, type Host, hostWith, presetHost } from './host.ts'
import { type FeedRecords, hostOf, type RecordValue, readFeed } from './records.ts'
import { parseFeed } from './reference.ts'

export interface AskOptions extends AccountOptions {
  host?: string
}

/** Why a post is, or is not, where it is. */
export interface Reason {
  path: string
  says: string
  pointsMilli?: number
}

/** A reason as a line. */
export function says({ path, says: text, pointsMilli }: Reason): string {
  const points =
    pointsMilli === undefined ? '' : ` (${pointsMilli >= 0 ? '+' : ''}${(pointsMilli / 1000).toFixed(2)})`
  return `${path}: ${text}${points}`
}

/** The options of a command that asks a host. */
export function withHost(command: Command): Command {
  return withNetwork(
    command
      .option('--host <host>', 'DID, URL or host name of the feed generator to ask')
      .option(
        '-a, --account <name>',
        'sign in, and see what this account sees (default: nobody in particular)',
      ),
  )
}

/** Runs `body` with the account as the viewer, where one is named. */
export async function withViewer<T>(
  options: AskOptions,
  body: (network: Network, viewer: AtpAgent | undefined) => Promise<T>,
): Promise<T> {
  if (options.account === undefined) return body(new Network(options), undefined)
  return withAccount(options, ({ agent, network }) => body(network, agent))
}

export interface Subject {
  /** The definition, as in a record. */
  definition: RecordValue
  host: Host
}

/**
 * The definition in a file, or that of a published feed, and the host to ask about it: the one that
 * is named, or that serves the feed.
 */
export async function findSubject(name: string, options: AskOptions, network: Network): Promise<Subject> {
  const host = options.host === undefined ? undefined : await findHost(options.host, network)
  if (!isFeedName(name))
    return { definition: await readDefinition(name, network), host: host ?? presetHost() }
  const { records } = await findFeed(name, network)
  const serving = host ?? (await hostServing(records, network))
  return { definition: await definitionOf(name, records, network), host: serving }
}

/** The definition in a file, or that of a published feed, as a record. */
export async function readDefinition(name: string, network: Network): Promise<RecordValue> {
  if (!isFeedName(name)) return (await readDefinitionFile(name, network)).record
  return definitionOf(name, (await findFeed(name, network)).records, network)
}

/** The definition of a published feed: its record, or for a built-in feed what its host says. */
async function definitionOf(name: string, records: FeedRecords, network: Network): Promise<RecordValue> {
  if (records.algorithm) return records.algorithm.value
  const definition = await builtInDefinition(records, network)
  if (!definition) throw new CommandError(`${name} has no definition in its creator’s repository.`)
  return definition
}

/** The definition of a feed whose algorithm is built into its host; undefined when it is none. */
export async function builtInDefinition(
  { generator }: FeedRecords,
  network: Network,
): Promise<RecordValue | undefined> {
  const did = hostOf(generator)
  if (generator === undefined || did === undefined) return undefined
  const host = await hostWith(did, network)
  const params = { feed: generator.uri }
  try {
    const view = await host.ask<AlgorithmView>('read the algorithm', 'getAlgorithm', { params })
    return view.builtIn ? view.definition : undefined
  } catch (error) {
    // The host does not know the feed, or is of other software.
    if (error instanceof CommandError) return undefined
    throw error
  }
}

interface AlgorithmView {
  readonly builtIn?: boolean
  readonly definition: RecordValue
}

/** Whether it names a published feed, and no file. */
function isFeedName(name: string): boolean {
  return /^(at|https?):\/\//.test(name)
}

/** Whether posts have points by it: where only the time counts, a score says nothing to people. */
export function hasPoints(definition: RecordValue | undefined): boolean {
  return (definition?.score as { order?: unknown } | undefined)?.order === 'score'
}

/** A published feed: whose it is, and its records. */
export async function findFeed(
  name: string,
  network: Network,
): Promise<{ did: string; rkey: string; records: FeedRecords }> {
  const { repo, rkey } = parseFeed(name)
  if (repo === undefined)
    throw new CommandError(`Name the feed by its URI or its address in the app: ${name}`)
  const account = await network.findAccount(repo)
  return { did: account.did, rkey, records: await readFeed(account, rkey) }
}

/** The host that a feed's record names. */
export async function hostServing({ generator }: FeedRecords, network: Network): Promise<Host> {
  const did = hostOf(generator)
  return did === undefined ? presetHost() : hostWith(did, network)
}
