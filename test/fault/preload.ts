/**
 * Loaded into a service's process before its own modules: lets it die at a named place, and makes
 * the disk slow or faulty. `faults` says which environment brings it there.
 */
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { type CrashPoint, crashPoints, onCrashPoint } from '#platform/crash-points.ts'

/** What is to go wrong. */
export interface Faults {
  /** Die here, */
  crashAt?: CrashPoint
  /** the how manieth time; the first by default. */
  nth?: number
  /** Count only once this file is there; from the start by default. */
  armedBy?: string
  /** Milliseconds that a sync of the database's log takes longer. */
  syncMs?: number
  /** A file that holds, after each sync, the size of the log that is on the disk for sure. */
  syncedSize?: string
  /** The how manieth sync fails. */
  syncFails?: number
}

/** The environment that makes a child process load this module. */
export function faults(wanted: Faults): NodeJS.ProcessEnv {
  return { NODE_OPTIONS: `--import=${import.meta.filename}`, FAULTS: JSON.stringify(wanted) }
}

const {
  crashAt,
  nth = 1,
  armedBy,
  syncMs = 0,
  syncedSize,
  syncFails,
} = JSON.parse(process.env.FAULTS ?? '{}') as Faults

if (crashAt !== undefined) {
  if (!crashPoints.includes(crashAt)) throw new Error(`there is no crash point ${crashAt}`)
  let passed = 0
  onCrashPoint((name) => {
    if (name !== crashAt || (armedBy !== undefined && !fs.existsSync(armedBy))) return
    if (++passed === nth) process.kill(process.pid, 'SIGKILL')
  })
}

if (syncMs > 0 || syncedSize !== undefined || syncFails !== undefined) {
  const { fdatasync } = fs
  let syncs = 0
  const slow = (file: number, done: fs.NoParamCallback): void => {
    const { size } = fs.fstatSync(file)
    const failure = ++syncs === syncFails ? Object.assign(new Error('EIO'), { code: 'EIO' }) : null
    fdatasync(file, (error) => {
      setTimeout(() => {
        if (syncedSize !== undefined && failure === null) {
          // Whole or not at all: the process may be killed at any moment.
          fs.writeFileSync(`${syncedSize}.new`, String(size))
          fs.renameSync(`${syncedSize}.new`, syncedSize)
        }
        done(error ?? failure)
      }, syncMs)
    })
  }
  Object.assign(fs, { fdatasync: slow })
  syncBuiltinESMExports()
}
