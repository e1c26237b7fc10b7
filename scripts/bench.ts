/**
 * `npm run bench`: Atoll and `@atproto/pds` side by side, each in a process of its own and in
 * production mode, the load from this one. The servers take turns within each round, so that what
 * else the machine does hits both; the result is the median of the rounds.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism, cpus } from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { type FloorPart, measureFloor } from './bench/floor.ts'
import { BenchServer, benchEnvironment } from './bench/server.ts'
import { type Workload, workloads } from './bench/workloads.ts'
import { CommandError, runCommand, UsageError, untilSignal } from './command.ts'
import { freePort, root, startProcess } from './processes.ts'

const HELP = `npm run bench -- [option...]

  --only NAME       measure only what has NAME in its name (several times: any of them)
  --rounds N        rounds of each measurement, of which the median counts (default 3)
  --seconds S       length of a round (default 2)
  --json FILE       write the results as [{name, unit, ours, reference, ratio}]

Measurements:
${workloads.map(({ name, unit }) => `  ${name} (${unit})`).join('\n')}`

interface Options {
  chosen: readonly Workload[]
  rounds: number
  seconds: number
  json?: string
}

interface Result {
  name: string
  unit: string
  ours: number
  reference: number
  ratio: number
}

type Side = 'ours' | 'reference'

/**
 * Load before the first round that is not counted: the engine compiles what is hot, caches fill.
 */
const warmUpSeconds = 0.5

await runCommand(async () => {
  const stopped = untilSignal().then(() => {
    throw new CommandError('Stopped.')
  })
  const options = readOptions()
  if (options === undefined) return console.log(HELP)
  const { results, floor } = await bench(options, stopped)
  console.log(`\n${table(results)}\n\nWhat the parts of a write cost here:\n${floorTable(floor)}`)
  if (options.json) writeFileSync(options.json, `${JSON.stringify(results, null, 2)}\n`)
})

/** What the command line asks for; nothing when it asks for help. */
function readOptions(): Options | undefined {
  const { values } = parse(process.argv.slice(2))
  if (values.help) return undefined
  const chosen = workloads.filter(({ name }) => values.only?.some((part) => name.includes(part)) ?? true)
  if (chosen.length === 0)
    throw new UsageError(`No measurement is called ${values.only?.join(' or ')}; see --help`)
  return {
    chosen,
    rounds: positive('--rounds', values.rounds),
    seconds: positive('--seconds', values.seconds),
    json: values.json,
  }
}

function parse(args: string[]) {
  try {
    return parseArgs({
      args,
      options: {
        only: { type: 'string', multiple: true },
        rounds: { type: 'string', default: '3' },
        seconds: { type: 'string', default: '2' },
        json: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    })
  } catch (error) {
    throw new UsageError(`${(error as Error).message}\n\n${HELP}`)
  }
}

function positive(option: string, text: string): number {
  const number = Number(text)
  if (!(number > 0)) throw new UsageError(`${option} is not a number above 0: ${text}`)
  return number
}

/**
 * Starts everything, measures, stops everything. `stopped` rejects when the user has had enough.
 */
async function bench(
  { chosen, rounds, seconds }: Options,
  stopped: Promise<never>,
): Promise<{ results: Result[]; floor: FloorPart[] }> {
  // On the disk that the services use, not in memory: waiting for the disk is part of what is
  // measured.
  mkdirSync(path.join(root, 'data'), { recursive: true })
  const folder = mkdtempSync(path.join(root, 'data/bench-'))
  await using running = new AsyncDisposableStack()
  running.defer(() => rmSync(folder, { recursive: true, force: true }))

  const plcPort = await freePort()
  const plcUrl = `http://localhost:${plcPort}`
  running.use(
    await startProcess({
      file: 'scripts/plc.ts',
      env: {
        PATH: process.env.PATH,
        PLC_PORT: String(plcPort),
        PLC_DATA_DIRECTORY: path.join(folder, 'plc'),
      },
      ready: `${plcUrl}/_health`,
    }),
  )
  const env = benchEnvironment(plcUrl)
  const start = async (side: Side, file: string) =>
    running.use(await BenchServer.start(file, env, path.join(folder, side)))
  const servers = {
    ours: await start('ours', 'pds/main.ts'),
    reference: await start('reference', 'scripts/pds-reference.ts'),
  }

  const [{ model } = { model: 'unknown processor' }] = cpus()
  console.log(
    `${availableParallelism()} x ${model}, Node ${process.version}, ${rounds} rounds of ${seconds} s`,
  )
  const measureAll = async () => {
    const results: Result[] = []
    for (const workload of chosen) results.push(await measure(workload, servers, rounds, seconds))
    return { results, floor: await measureFloor(folder) }
  }
  return await Promise.race([measureAll(), stopped])
}

async function measure(
  { name, unit, lessIsBetter, prepare, measure }: Workload,
  servers: Record<Side, BenchServer>,
  rounds: number,
  seconds: number,
): Promise<Result> {
  console.log(`\n${name}`)
  const rates: Record<Side, number[]> = { ours: [], reference: [] }
  for (const server of Object.values(servers)) {
    await prepare(server)
    await measure(server, warmUpSeconds)
  }
  for (let round = 0; round < rounds; round++) {
    // The one that is first in one round is second in the next.
    const order: Side[] = round % 2 === 0 ? ['ours', 'reference'] : ['reference', 'ours']
    for (const side of order) {
      const rate = await measure(servers[side], seconds)
      rates[side].push(rate)
      console.log(`  ${side.padEnd(10)}${format(rate).padStart(10)} ${unit}`)
    }
  }
  const ours = median(rates.ours)
  const reference = median(rates.reference)
  return { name, unit, ours, reference, ratio: lessIsBetter ? reference / ours : ours / reference }
}

function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length / 2
  return ((sorted[Math.ceil(middle) - 1] as number) + (sorted[Math.floor(middle)] as number)) / 2
}

function table(results: Result[]): string {
  const rows = [
    ['', 'unit', 'Atoll', '@atproto/pds', 'ratio'],
    ...results.map(({ name, unit, ours, reference, ratio }) => [
      name,
      unit,
      format(ours),
      format(reference),
      `${ratio.toFixed(1)} x`,
    ]),
  ]
  const widths = [0, 1, 2, 3, 4].map((column) =>
    Math.max(...rows.map((row) => (row[column] as string).length)),
  )
  return rows
    .map((row) =>
      row
        .map((cell, column) =>
          column < 2 ? cell.padEnd(widths[column] as number) : cell.padStart(widths[column] as number),
        )
        .join('  '),
    )
    .join('\n')
}

function floorTable(floor: FloorPart[]): string {
  const width = Math.max(...floor.map(({ name }) => name.length))
  return floor.map(({ name, micros }) => `${name.padEnd(width)}  ${format(micros).padStart(6)} µs`).join('\n')
}

/** Three digits that count, as many as a rate here deserves. */
function format(rate: number): string {
  return rate.toLocaleString('en', { maximumSignificantDigits: 3 })
}
