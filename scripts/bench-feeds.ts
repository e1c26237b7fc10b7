/**
 * `npm run bench:feeds`: what the feed generator takes in, beside the official kit's way of doing
 * it, with the same frames in the same run. With `--read`: pages of feeds over a large index.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { availableParallelism, cpus } from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { makeFirehose } from './bench/feeds/firehose.ts'
import { ingestAtoll, ingestKit } from './bench/feeds/ingest.ts'
import { benchReads } from './bench/feeds/read.ts'
import { root } from './processes.ts'

const { values } = parseArgs({
  options: {
    events: { type: 'string', default: '22000' },
    definitions: { type: 'string', default: '1000' },
    rounds: { type: 'string', default: '3' },
    read: { type: 'boolean', default: false },
    posts: { type: 'string', default: '1000000' },
    likes: { type: 'string', default: '10000000' },
    seconds: { type: 'string', default: '10' },
    rate: { type: 'string', default: '3000' },
  },
})
const [events, definitions, rounds] = [values.events, values.definitions, values.rounds].map(Number) as [
  number,
  number,
  number,
]

// On the disk that the service uses, not in memory.
mkdirSync(path.join(root, 'data'), { recursive: true })
const folder = mkdtempSync(path.join(root, 'data/bench-feeds-'))
try {
  const [{ model } = { model: 'unknown processor' }] = cpus()
  console.log(`${availableParallelism()} x ${model}, Node ${process.version}`)
  if (values.read) {
    const { posts, likes, seconds, rate } = values
    await benchReads({
      folder,
      posts: Number(posts),
      likes: Number(likes),
      seconds: Number(seconds),
      rate: Number(rate),
    })
  } else await benchIngest()
} finally {
  rmSync(folder, { recursive: true, force: true })
}

async function benchIngest(): Promise<void> {
  console.log(`${rounds} rounds of ${events} events`)
  const firehose = makeFirehose(events)
  let files = 0
  const file = () => path.join(folder, `${++files}.sqlite`)
  const ways = {
    "the official kit's way, nothing verified": () => ingestKit(firehose, { file: file() }),
    [`Atoll, from a trusted relay, ${definitions} definitions`]: () =>
      ingestAtoll(firehose, { file: file(), trusted: true, definitions }),
    [`Atoll, every commit verified, ${definitions} definitions`]: () =>
      ingestAtoll(firehose, { file: file(), trusted: false, definitions }),
    'Atoll, from a trusted relay, 100 definitions': () =>
      ingestAtoll(firehose, { file: file(), trusted: true, definitions: 100 }),
    'Atoll, from a trusted relay, 10000 definitions': () =>
      ingestAtoll(firehose, { file: file(), trusted: true, definitions: 10_000 }),
  }
  const rates = new Map<string, number[]>(Object.keys(ways).map((name) => [name, []]))
  for (let i = 0; i < rounds; i++)
    for (const [name, run] of Object.entries(ways)) rates.get(name)?.push(await run())
  const [kit] = [...rates.values()].map(median) as [number]
  for (const [name, all] of rates) {
    const rate = median(all)
    console.log(
      `${name.padEnd(52)}${Math.round(rate).toLocaleString('en').padStart(9)} events/s${`${(rate / kit).toFixed(1)} x`.padStart(9)}`,
    )
  }
  console.log(`memory of this process: ${Math.round(process.memoryUsage.rss() / 1e6)} MB`)
}

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] as number
}
