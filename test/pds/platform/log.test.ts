import { expect, test } from 'vitest'
import { errorFields } from '#platform/log.ts'

test('of an error no body and nothing else that it carries is written, nor of its causes', () => {
  const cause = Object.assign(new Error('inner'), { body: 'password=secret' })
  const error = Object.assign(new Error('outer', { cause }), {
    code: 'E',
    body: 'password=secret',
    status: 400,
  })
  const fields = errorFields(error)
  expect(fields).toEqual({
    name: 'Error',
    message: 'outer',
    stack: error.stack,
    code: 'E',
    cause: { name: 'Error', message: 'inner', stack: cause.stack },
  })
  const endless = new Error('of itself')
  endless.cause = endless
  expect(JSON.stringify(errorFields(endless)).length).toBeGreaterThan(0)
  expect(errorFields('text')).toBe('text')
})
