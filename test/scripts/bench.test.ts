import { readFileSync } from 'node:fs'
import path from 'node:path'
import { expect, it } from 'vitest'
import { startProcess, temporaryFolder } from '../support/processes.ts'

const run = async (...args: string[]) => {
  await using bench = await startProcess({ file: 'scripts/bench.ts', args })
  return { code: await bench.exited, output: bench.output() }
}

it('measures both servers and writes what it found', async () => {
  using folder = temporaryFolder()
  const file = path.join(folder.path, 'results.json')
  const { code, output } = await run(
    '--only',
    'in a row',
    '--rounds',
    '1',
    '--seconds',
    '0.2',
    '--json',
    file,
  )
  expect(code, output).toBe(0)
  const [result, ...others] = JSON.parse(readFileSync(file, 'utf8'))
  expect(others).toEqual([])
  const number = expect.any(Number)
  expect(result).toEqual({
    name: 'createRecord, one account in a row',
    unit: 'posts/s',
    ours: number,
    reference: number,
    ratio: number,
  })
  expect(result.ours).toBeGreaterThan(0)
  expect(result.reference).toBeGreaterThan(0)
  expect(result.ratio).toBeCloseTo(result.ours / result.reference)
  expect(output).toMatch(/^createRecord, one account in a row +posts\/s .* x$/m)
}, 120_000)

it('says what it does not know', async () => {
  for (const [args, message] of [
    [['--only', 'nonsense'], 'No measurement is called nonsense'],
    [['--rounds', '0'], '--rounds is not a number above 0'],
    [['--frob'], "Unknown option '--frob'"],
  ] as const) {
    expect(await run(...args)).toMatchObject({ code: 2, output: expect.stringContaining(message) })
  }
  expect(await run('--help')).toMatchObject({ code: 0, output: expect.stringContaining('firehose replay') })
})
