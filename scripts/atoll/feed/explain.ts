/** `atoll feed explain`: why a post is, or is not, in a feed. */
import type { Command } from 'commander'
import { command, examples } from '../options.ts'
import { type OutputOptions, printResult } from '../output.ts'
import {
  type AskOptions,
  findFeed,
  hasPoints,
  hostServing,
  type Reason,
  says,
  withHost,
  withViewer,
} from './ask.ts'
import { findHost } from './host.ts'
import { feedUris, parsePost } from './reference.ts'

interface Explanation {
  present: boolean
  place?: number
  lostAt?: string
  scoreMilli?: number
  why: Reason[]
}

/** `atoll feed explain` */
export function explainCommand(): Command {
  return withHost(command('explain', 'why a post is, or is not, in a feed'))
    .argument('<feed>', 'its URI, or its address in the app')
    .argument('<post>', 'its URI, or its address in the app')
    .addHelpText(
      'after',
      examples({
        'atoll feed explain https://bsky.app/profile/alice.example.com/feed/cats https://bsky.app/profile/bob.example.com/post/3kab':
          'asks the host that serves the feed',
      }),
    )
    .action(async (name: string, address: string, options: AskOptions & OutputOptions) => {
      await withViewer(options, async (network, viewer) => {
        const post = await parsePost(address, network)
        const { records, rkey, ...account } = await findFeed(name, network)
        const host = await (options.host === undefined
          ? hostServing(records, network)
          : findHost(options.host, network))
        const params = { feed: feedUris(account, rkey).feed, post }
        const explanation: Explanation = await host.ask('explain the post', 'explain', { params, viewer })
        printResult(options, explanation, () => describe(explanation, hasPoints(records.algorithm?.value)))
      })
    })
}

function describe({ present, place, lostAt, scoreMilli, why }: Explanation, points: boolean): string {
  const where = place === undefined ? '' : `, at place ${place}`
  const score = scoreMilli === undefined || !points ? '' : `, with ${(scoreMilli / 1000).toFixed(2)} points`
  const stage =
    lostAt === undefined ? '' : `: ${lostAt === 'index' ? 'it is not in the index' : `it stops at ${lostAt}`}`
  const verdict = present ? `It is in the feed${where}${score}.` : `It is not in the feed${stage}${score}.`
  return [verdict, ...why.map((reason) => `  ${says(reason)}`)].join('\n')
}
