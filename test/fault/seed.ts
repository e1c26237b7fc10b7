/**
 * The seed of a test that does random things: another one each time, printed, and given back by
 * `FAULT_SEED` to repeat what failed.
 */
export function chosenSeed(): number {
  const seed = Number(process.env.FAULT_SEED ?? Math.floor(Math.random() * 2 ** 31))
  console.log(`FAULT_SEED=${seed}`)
  return seed
}
