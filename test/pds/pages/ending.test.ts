import { expect, test } from 'vitest'
import { endingOf } from '../../../pds/pages/ending.ts'

const END = '2026-11-30T12:00:00.000Z'

test('an account without a planned deletion has no ending notice', () => {
  expect(endingOf({ endsAt: null, moveStepAt: null })).toBeUndefined()
  expect(endingOf({ endsAt: null, moveStepAt: END })).toBeUndefined()
})

test('the page says when a move or an account ends, and what keeps it', () => {
  expect(endingOf({ endsAt: END, moveStepAt: '2026-11-01T00:00:00.000Z' })).toMatch(
    /move .* not finished.*2026-11-30.*activated/,
  )
  expect(endingOf({ endsAt: END, moveStepAt: null })).toMatch(/deleted after 2026-11-30.*activate it/)
})
