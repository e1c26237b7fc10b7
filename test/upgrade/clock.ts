/**
 * Loaded into a process before its own modules: its clock, on every thread, stands where
 * CLOCK_STARTS_AT says when the process starts, and goes on from there. Data folders that were
 * written long ago are served as on the day after.
 */
const startsAt = process.env.CLOCK_STARTS_AT

/** The environment that makes a process load this module, at a time in milliseconds. */
export const clockEnv = (startsAtMs: number): NodeJS.ProcessEnv => ({
  NODE_OPTIONS: `--import=${import.meta.filename}`,
  CLOCK_STARTS_AT: String(startsAtMs),
})

/** Moves the clock of this thread. @param startsAtMs what it shows now */
export function moveClock(startsAtMs: number): void {
  const RealDate = Date
  const offsetMs = startsAtMs - RealDate.now()
  globalThis.Date = class extends RealDate {
    constructor(...args: unknown[]) {
      super(...((args.length === 0 ? [RealDate.now() + offsetMs] : args) as [number]))
    }
    static override now = () => RealDate.now() + offsetMs
  } as DateConstructor
}

if (startsAt !== undefined) moveClock(Number(startsAt))
