/**
 * `npm run torture -- strangers`: does to both services what nobody would wish them, and says what
 * became of them.
 */
import { parseArgs } from 'node:util'
import { CommandError, runCommand, UsageError } from '../../scripts/command.ts'
import { startServices } from './services.ts'
import { strangers } from './strangers.ts'

const HELP = `npm run torture -- strangers [option...]

Starts a PDS and a feed generator on this machine and lets connections reset, half-close, trickle and garble on every
kind of path of both. Afterwards both must answer, with memory and open files back, and no row or file left over.

  --seconds S   how long (default 60)
  --seed N      what happens, again: a run prints its seed

Ends with 0 when all is well, with 1 when something is wrong.`

await runCommand(async () => {
  const options = readOptions()
  if (options === undefined) return console.log(HELP)
  const { seed, seconds } = options
  console.log(`seed ${seed}`)
  await using services = await startServices()
  const { visits, wrong } = await strangers(services, {
    seed,
    seconds,
    onProgress: (visits) => process.stdout.isTTY && process.stdout.write(`\r${visits} visits`),
  })
  console.log(`${process.stdout.isTTY ? '\r' : ''}${visits} visits`)
  if (wrong.length > 0) throw new CommandError(`Wrong afterwards (seed ${seed}):\n  ${wrong.join('\n  ')}`)
  console.log('Both answer; memory and open files are back; nothing is left over.')
})

function readOptions(): { seed: number; seconds: number } | undefined {
  const { values, positionals } = parse()
  if (values.help) return undefined
  if (positionals.length !== 1 || positionals[0] !== 'strangers') throw new UsageError(HELP)
  const number = (name: 'seed' | 'seconds', preset: number) => {
    const value = Number(values[name] ?? preset)
    if (Number.isInteger(value) && value > 0) return value
    throw new UsageError(`--${name} must be a whole number above 0`)
  }
  return {
    seed: number('seed', 1 + Math.floor(Math.random() * 2 ** 31)),
    seconds: number('seconds', 60),
  }
}

function parse() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        seconds: { type: 'string' },
        seed: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    })
  } catch (error) {
    throw new UsageError(`${(error as Error).message}\n\n${HELP}`)
  }
}
