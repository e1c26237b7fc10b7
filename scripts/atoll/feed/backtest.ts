/** `atoll feed backtest`: how many posts a definition would have had, hour by hour. */
import type { Command } from 'commander'
import { command, examples, integer } from '../options.ts'
import { type OutputOptions, printResult, table } from '../output.ts'
import { type AskOptions, findSubject, withHost, withViewer } from './ask.ts'

const daysMax = 7
const barCharactersMax = 50

interface Backtest {
  hours: { at: string; posts: number }[]
  posts: number
  examined: number
  complete: boolean
  micros: number
}

/** `atoll feed backtest` */
export function backtestCommand(): Command {
  return withHost(command('backtest', 'how many posts a definition would have had in the past days'))
    .argument('<file-or-feed>', 'a definition, or a published feed')
    .option('--days <number>', 'how far back', integer(1, daysMax), 1)
    .addHelpText(
      'after',
      examples({ 'atoll feed backtest cats.json --days 7': 'posts for each hour of the past week' }),
    )
    .action(async (name: string, options: AskOptions & OutputOptions & { days: number }) => {
      await withViewer(options, async (network, viewer) => {
        const { definition, host } = await findSubject(name, options, network)
        const data = { definition, days: options.days }
        const backtest: Backtest = await host.ask('backtest the definition', 'backtest', { data, viewer })
        printResult(options, backtest, () => describe(backtest))
      })
    })
}

function describe({ hours, posts, examined, complete, micros }: Backtest): string {
  const most = Math.max(1, ...hours.map((hour) => hour.posts))
  const rows = hours.map((hour) => [
    hour.at.slice(0, 16).replace('T', ' '),
    String(hour.posts),
    '█'.repeat(Math.round((hour.posts / most) * barCharactersMax)),
  ])
  const sum = `${posts} of ${examined} posts, ${(micros / 1000).toFixed(0)} ms${complete ? '' : '; the past was too large to be looked at whole'}`
  return `${table(rows, [1])}\n${sum}`
}
