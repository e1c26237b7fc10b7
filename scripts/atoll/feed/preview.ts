/** `atoll feed preview`: what a definition would show now, stage by stage. */
import type { Command } from 'commander'
import type { Warning } from '../../../feedgen/algorithm/warning.ts'
import { command, examples, integer } from '../options.ts'
import { type OutputOptions, printNote, printResult, table } from '../output.ts'
import { type AskOptions, findSubject, hasPoints, type Reason, says, withHost, withViewer } from './ask.ts'
import { warningLine } from './file.ts'
import { textsOf } from './posts.ts'

const pageItemsMax = 100

interface Preview {
  feed: { post: string; repost?: string; scoreMilli?: number; why: Reason[] }[]
  stages: { name: string; in: number; out: number; micros: number }[]
  cost: number
  /** Hosts of before do not tell. */
  warnings?: Warning[]
}

type PreviewOptions = AskOptions & OutputOptions & { limit: number; why?: boolean }

/** `atoll feed preview` */
export function previewCommand(): Command {
  return withHost(command('preview', 'what a definition shows now, and what each stage lets through'))
    .argument('<file-or-feed>', 'a definition, or a published feed')
    .option('--limit <number>', 'how many posts', integer(1, pageItemsMax), 20)
    .option('--why', 'say why each post is there')
    .addHelpText(
      'after',
      examples({
        'atoll feed preview cats.json --host feeds.example.com': 'before you publish it',
        'atoll feed preview cats.json --account alice.example.com --why':
          'as Alice would see it, with the reasons',
      }),
    )
    .action(async (name: string, options: PreviewOptions) => {
      await withViewer(options, async (network, viewer) => {
        const { definition, host } = await findSubject(name, options, network)
        const data = { definition, limit: options.limit }
        const preview: Preview = await host.ask('preview the feed', 'preview', { data, viewer })
        const posts = preview.feed.map(({ post }) => post)
        const texts = options.json ? new Map<string, string>() : await textsOf(posts, network)
        const show = { texts, points: hasPoints(definition), why: options.why }
        if (!options.json) for (const warning of preview.warnings ?? []) printNote(warningLine(warning))
        printResult(options, preview, () => describe(preview, show))
      })
    })
}

interface Show {
  texts: Map<string, string>
  points: boolean
  why?: boolean
}

function describe({ feed, stages, cost }: Preview, { texts, points, why }: Show): string {
  const counts = table(
    [
      ['stage', 'posts in', 'out', 'ms'],
      ...stages.map(({ name, in: taken, out, micros }) => [
        name,
        String(taken),
        String(out),
        (micros / 1000).toFixed(1),
      ]),
    ],
    [1, 2, 3],
  )
  const posts = feed.map(({ post, repost, scoreMilli, why: reasons }, index) => {
    const score = scoreMilli === undefined || !points ? '' : (scoreMilli / 1000).toFixed(2)
    const line = `${String(index + 1).padStart(3)}  ${score.padStart(8)}  ${texts.get(post) ?? ''}${repost ? ' (reposted)' : ''}`
    return [
      line,
      `               ${post}`,
      ...(why ? reasons.map((reason) => `                 ${says(reason)}`) : []),
    ]
  })
  return [counts, `cost ${cost}`, '', ...(feed.length === 0 ? ['No posts.'] : posts.flat())].join('\n')
}
