/**
 * Strangers at both services, for seconds: whatever their connections do, both go on, and nothing
 * is left of it.
 */
import { expect, test } from 'vitest'
import { startServices } from '../torture/services.ts'
import { strangers } from '../torture/strangers.ts'
import { chosenSeed } from './seed.ts'

test('connections that reset, half-close, trickle and garble leave both services as they were', {
  timeout: 120_000,
}, async () => {
  await using services = await startServices()
  const { visits, wrong } = await strangers(services, { seed: chosenSeed(), seconds: 8 })
  expect(wrong).toEqual([])
  expect(visits).toBeGreaterThan(200)
})
