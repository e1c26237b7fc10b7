/**
 * `atoll feed validate`: whether a definition can be run, what it costs, and what its creator
 * should know of it.
 */
import type { Command } from 'commander'
import { totalOf } from '../../../feedgen/algorithm/cost.ts'
import { missingOf } from '../../../feedgen/algorithm/references.ts'
import { Network, type NetworkOptions } from '../network.ts'
import { command, examples, withNetwork } from '../options.ts'
import { type OutputOptions, printResult, table } from '../output.ts'
import { readDefinitionFile, warningLine } from './file.ts'

/** `atoll feed validate` */
export function validateCommand(): Command {
  return withNetwork(
    command('validate', 'check a definition; says where it is wrong, or what it costs its host'),
  )
    .argument('<file>', 'the definition; - for standard input')
    .addHelpText(
      'after',
      examples({ 'atoll feed validate cats.json': 'ends with 1 when the definition is not valid' }),
    )
    .option('--offline', 'do not ask whether the lists, feeds and labelers that it names exist')
    .action(async (file: string, options: NetworkOptions & OutputOptions & { offline?: boolean }) => {
      const network = new Network(options)
      const { plan, warnings: found } = await readDefinitionFile(file, network)
      const missing = options.offline ? [] : await missingOf(plan.definition, network.find)
      const warnings = [...found, ...missing]
      const { isPersonal } = plan
      const cost = totalOf(plan.cost)
      printResult(options, { valid: true, cost, parts: plan.cost, isPersonal, warnings }, () =>
        [
          `${file} is valid. It costs its host ${cost} points${isPersonal ? ', for each viewer' : ''}.`,
          table(
            plan.cost.map(({ path, points }) => [`  ${path}`, String(points)]),
            [1],
          ),
          ...warnings.map(warningLine),
        ].join('\n'),
      )
    })
}
