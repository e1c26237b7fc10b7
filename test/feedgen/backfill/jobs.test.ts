/** Work in the background is bounded, tried again when it fails, and over when it is told to be. */
import { expect, test, vi } from 'vitest'
import { logger } from '#platform/log.ts'
import { Jobs } from '../../../feedgen/backfill/jobs.ts'
import { NotThereError, ServerError } from '../../../feedgen/backfill/pds-client.ts'

const options = { atOnceMax: 2, jobsMax: 3, triesMax: 2 }

test('so much goes on at once, the same thing once, and no more is taken than there is room for', async () => {
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

test('what fails is tried again, but not for ever, and not when it is not there', async () => {
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

test('at the end nothing is waited for longer than its signal takes', async () => {
  const jobs = new Jobs(options)
  const stopped = jobs.run(
    'long',
    (signal) => new Promise((resolve) => signal.addEventListener('abort', () => resolve())),
  )
  const failing = jobs.run('failing', async () => {
    throw new ServerError('down')
  })
  const began = performance.now()
  await jobs[Symbol.asyncDispose]()
  expect(await Promise.all([stopped, failing])).toEqual(['refused', 'refused'])
  expect(performance.now() - began).toBeLessThan(400)
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
