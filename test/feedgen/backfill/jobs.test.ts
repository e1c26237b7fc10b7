/** Work in the background is bounded, tried again when it fails, and over when it is told to be. */
import { expect, test, vi } from 'vitest'
import { logger } from '#platform/log.ts'
import { Jobs } from '../../../feedgen/backfill/jobs.ts'
import { NotThereError, ServerError } from '../../../feedgen/backfill/pds-client.ts'

const options = { atOnceMax: 2, jobsMax: 3, triesMax: 2 }

test('jobs run within their concurrency, once per name, and are refused beyond the queue', async () => {
  await using jobs = new Jobs(options)
  const gate = Promise.withResolvers<void>()
  const began: string[] = []
  const start = (name: string) =>
    jobs.run(name, async () => {
      began.push(name)
      await gate.promise
    })
  const all = [start('a'), start('b'), start('c'), start('a')]
  expect(await start('d')).toBe('refused')
  expect(began).toEqual(['a', 'b'])
  expect(jobs.has('c')).toBe(true)
  gate.resolve()
  expect(await Promise.all(all)).toEqual(['done', 'done', 'done', 'done'])
  expect(began).toEqual(['a', 'b', 'c'])
  expect(jobs.has('c')).toBe(false)
})

test('a failing job is retried a bounded number of times, and not after NotFound', async () => {
  await using jobs = new Jobs(options)
  const tries = { once: 0, always: 0, gone: 0 }
  const outcomes = await Promise.all([
    jobs.run('once', async () => {
      if (tries.once++ === 0) throw new ServerError('busy')
    }),
    jobs.run('always', async () => {
      tries.always++
      throw new ServerError('down')
    }),
    jobs.run('gone', async () => {
      tries.gone++
      throw new NotThereError('gone')
    }),
  ])
  expect(outcomes).toEqual(['done', 'failed', 'failed'])
  expect(tries).toEqual({ once: 2, always: 2, gone: 1 })
})

test('disposing the jobs aborts what runs and the backoff of what failed', async () => {
  const jobs = new Jobs(options)
  const stopped = jobs.run(
    'long',
    (signal) => new Promise((resolve) => signal.addEventListener('abort', () => resolve())),
  )
  const failing = jobs.run('failing', async () => {
    throw new ServerError('down')
  })
  // It has failed, and waits.
  await new Promise(setImmediate)
  // Turns of the event loop, of which a busy machine takes no more: a pause would be thousands.
  let turns = 0
  const turning = new AbortController()
  const turn = () => void (++turns && !turning.signal.aborted && setImmediate(turn))
  turn()
  await jobs[Symbol.asyncDispose]()
  turning.abort()
  expect(turns).toBeLessThan(100)
  expect(await Promise.all([stopped, failing])).toEqual(['refused', 'refused'])
})

test('a fault of our own is in the log as one; what a server does not give is not', async () => {
  const error = vi.spyOn(logger('backfill'), 'error')
  await using jobs = new Jobs(options)
  const failing = (failure: Error) => jobs.run(failure.message, () => Promise.reject(failure))
  await failing(new NotThereError('gone'))
  await failing(new ServerError('down'))
  expect(error).not.toHaveBeenCalled()
  const failure = new TypeError('x is undefined')
  await failing(failure)
  const said = expect.objectContaining({ err: failure, job: 'x is undefined', todo: expect.any(String) })
  expect(error.mock.calls).toEqual([
    [said, expect.any(String)],
    [said, expect.any(String)],
  ])
  error.mockRestore()
})
