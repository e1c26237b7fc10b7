/**
 * Runs before each file's tests: a worker runs many files, and none may leave anything to the next.
 */
import { afterAll, afterEach, expect, vi } from 'vitest'

const environment = { ...process.env }
const directory = process.cwd()

afterEach(() => {
  vi.useRealTimers()
})

afterAll(() => {
  expect({ ...process.env }, 'the environment is as it was before this file').toEqual(environment)
  expect(process.cwd(), 'the working directory is as it was before this file').toBe(directory)
})
