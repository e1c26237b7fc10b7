import { expect, test, vi } from 'vitest'
import { logger } from '#platform/log.ts'
import { openRepos } from '../repo/support.ts'

test('a database that cannot be read is so with the reason in the log', () => {
  const { store, close } = openRepos()
  const error = vi.spyOn(logger('store'), 'error')
  expect(store.isReadable()).toBe(true)
  expect(error).not.toHaveBeenCalled()
  close()
  expect(store.isReadable()).toBe(false)
  const fields = { err: expect.any(Error), todo: expect.any(String) }
  expect(error).toHaveBeenCalledExactlyOnceWith(expect.objectContaining(fields), expect.any(String))
  error.mockRestore()
})
