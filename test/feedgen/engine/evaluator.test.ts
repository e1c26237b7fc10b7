/** The line before the thread that evaluates: whose turn it is, and what ends a job. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { CancelledError, DeadlineError } from '../../../feedgen/engine/deadline.ts'
import { EvaluatorThread, type JobAsker } from '../../../feedgen/engine/evaluator.ts'
import type { Job } from '../../../feedgen/engine/jobs.ts'

let evaluator: EvaluatorThread
beforeEach(async () => {
  const program = new URL('./stub-worker.ts', import.meta.url)
  evaluator = await EvaluatorThread.start('nowhere', { jobsMax: 5, msMax: 600_000, program })
})
afterEach(() => evaluator[Symbol.asyncDispose]())

const run = (kind: Job['kind'], asker?: JobAsker): Promise<unknown> => evaluator.run({ kind } as Job, asker)

/** A job that runs until it is cancelled. */
const long = (asker: JobAsker = {}) => {
  const stop = new AbortController()
  const ended = run('backtest', { ...asker, signal: stop.signal }).catch((error: Error) => error)
  return { ended, stop: () => stop.abort() }
}

test('a thread that does not end its job is replaced, and the jobs behind it go on', async () => {
  await using short = await EvaluatorThread.start('nowhere', {
    jobsMax: 5,
    msMax: 1,
    program: new URL('./stub-worker.ts', import.meta.url),
  })
  const used: number[] = []
  const stuck = short.run({ kind: 'explain' } as Job, { used: (ms) => used.push(ms) })
  const behind = [1, 2].map(() => short.run({ kind: 'preview' } as Job) as Promise<unknown>)
  await expect(stuck).rejects.toThrow(DeadlineError)
  expect(await Promise.all(behind)).toEqual(['preview', 'preview'])
  expect(used).toHaveLength(1)
})

describe('of one caller', () => {
  test('one job runs and two wait, and others have their turn between', async () => {
    const order: string[] = []
    const first = long({ caller: 'a' })
    const note = (name: string) => order.push(name)
    const waiting = [1, 2].map((n) => run('preview', { caller: 'a', used: () => note(`a${n}`) }))
    await expect(run('preview', { caller: 'a' })).rejects.toMatchObject({ kind: 'rateLimited' })
    waiting.push(run('preview', { caller: 'b', used: () => note('b') }))
    first.stop()
    await Promise.all(waiting)
    expect(await first.ended).toBeInstanceOf(CancelledError)
    expect(order).toEqual(['b', 'a1', 'a2'])
  })

  test('a newer job of a page takes the place of the older, whether that runs or waits', async () => {
    const running = long({ caller: 'a', page: '1' })
    const other = run('preview', { caller: 'a', page: '2' })
    const waiting = run('preview', { caller: 'a', page: '1' })
    expect(await running.ended).toBeInstanceOf(CancelledError)
    expect(await Promise.all([other, waiting])).toEqual(['preview', 'preview'])

    const before = long({ caller: 'a' })
    const older = run('preview', { caller: 'a', page: '3' })
    const stranger = run('preview', { caller: 'b', page: '3' })
    const newer = run('preview', { caller: 'a', page: '3' })
    await expect(older).rejects.toThrow(CancelledError)
    before.stop()
    expect(await Promise.all([stranger, newer])).toEqual(['preview', 'preview'])
  })
})

test('a job that nobody waits for any more does not run', async () => {
  const first = long()
  const gone = new AbortController()
  const used: number[] = []
  const waiting = run('preview', { signal: gone.signal, used: (ms) => used.push(ms) })
  gone.abort()
  await expect(waiting).rejects.toThrow(CancelledError)
  first.stop()
  expect(await run('preview')).toBe('preview')
  expect(used).toEqual([])
  await expect(run('preview', { signal: gone.signal })).rejects.toThrow(CancelledError)
})

test('more jobs than may wait are refused', async () => {
  const first = long()
  const waiting = Array.from({ length: 5 }, () => run('preview'))
  await expect(run('preview')).rejects.toMatchObject({ kind: 'rateLimited' })
  first.stop()
  expect(await Promise.all(waiting)).toHaveLength(5)
})

test('a thread that is lost fails the job it had, and no other waits for it', async () => {
  await using never = await EvaluatorThread.start('nowhere', {
    jobsMax: 5,
    msMax: 600_000,
    program: new URL(
      `data:text/javascript,import { parentPort } from 'node:worker_threads';
       parentPort.postMessage('ready'); parentPort.on('message', () => { throw new Error('lost') })`,
    ),
  })
  const jobs = [1, 2].map(() => never.run({ kind: 'preview' } as Job))
  expect((await Promise.allSettled(jobs)).map(({ status }) => status)).toEqual(['rejected', 'rejected'])
})
