import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { BackgroundTask } from '#platform/background-task.ts'

const log = { error: vi.fn() }
const failure = { message: 'not swept', todo: 'look at the disk' }

beforeEach(() => {
  log.error.mockReset()
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

const taskOf = (
  work: (signal: AbortSignal) => Promise<number | undefined>,
  retryMs: number | undefined = 50,
) => new BackgroundTask(work, { log: log as never, failure, retryMs })

test('runs again after the time that the work returns, counted from its end', async () => {
  const work = vi.fn(async () => 100)
  await using task = taskOf(work)
  await task.run()
  await vi.advanceTimersByTimeAsync(99)
  expect(work).toHaveBeenCalledTimes(1)
  await vi.advanceTimersByTimeAsync(1)
  expect(work).toHaveBeenCalledTimes(2)
})

test('runs only when asked if the work returns no time', async () => {
  const work = vi.fn(async () => undefined)
  await using task = taskOf(work)
  await task.run()
  expect(vi.getTimerCount()).toBe(0)
  await task.run()
  expect(work).toHaveBeenCalledTimes(2)
})

test('runs once more, and not at the same time, if asked during a run', async () => {
  const gate = Promise.withResolvers<void>()
  let atOnce = 0
  const work = vi.fn(async () => {
    expect(++atOnce).toBe(1)
    await gate.promise
    atOnce--
    return undefined
  })
  await using task = taskOf(work)
  const first = task.run()
  await vi.advanceTimersByTimeAsync(0)
  const asked = [task.run(), task.run()]
  gate.resolve()
  await Promise.all([first, ...asked])
  expect(work).toHaveBeenCalledTimes(2)
})

test('a run that is asked for replaces the one that was to come', async () => {
  const work = vi.fn(async () => 100)
  await using task = taskOf(work)
  await task.run()
  await vi.advanceTimersByTimeAsync(60)
  await task.run()
  expect(vi.getTimerCount()).toBe(1)
  await vi.advanceTimersByTimeAsync(60)
  expect(work).toHaveBeenCalledTimes(2)
})

test('logs a failed run, does not reject, and retries', async () => {
  const work = vi.fn(async (): Promise<undefined> => {
    throw new Error('no disk')
  })
  await using task = taskOf(work)
  await task.run()
  expect(log.error).toHaveBeenCalledWith(expect.objectContaining({ todo: failure.todo }), failure.message)
  await vi.advanceTimersByTimeAsync(50)
  expect(work).toHaveBeenCalledTimes(2)
})

test('waits for the run under way when disposed of, and starts none after it', async () => {
  const gate = Promise.withResolvers<void>()
  let ended = false
  const work = vi.fn(async (signal: AbortSignal) => {
    await gate.promise
    ended = signal.aborted
    return 100
  })
  const task = taskOf(work)
  void task.run()
  await vi.advanceTimersByTimeAsync(0)
  void task.run()
  const disposed = task[Symbol.asyncDispose]()
  gate.resolve()
  await disposed
  expect(ended).toBe(true)
  await task.run()
  expect(work).toHaveBeenCalledTimes(1)
  expect(vi.getTimerCount()).toBe(0)
})
