/**
 * Services as processes of their own, on free ports and with data folders that go when the test
 * does.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import * as processes from '../../scripts/processes.ts'

export { freePort, ProcessNotReadyError, type RunningProcess, root } from '../../scripts/processes.ts'

export interface TestProcessOptions extends Omit<processes.ProcessOptions, 'env'> {
  /** Comes on top of `cleanEnvironment()`. */
  env?: NodeJS.ProcessEnv
}

/**
 * Runs a file in a process of its own and waits until it is ready. Whatever the test does, the
 * process ends with it.
 * @throws ProcessNotReadyError with what the child printed
 */
export function startProcess(options: TestProcessOptions): Promise<processes.RunningProcess> {
  return processes.startProcess({ ...options, env: { ...cleanEnvironment(), ...options.env } })
}

/** The environment of this process without what would steer our services, `NODE_ENV` included. */
export function cleanEnvironment(): NodeJS.ProcessEnv {
  const ours = /^(PDS|PLC|FEEDGEN|LOG|VITEST)(_|$)|^NODE_ENV$|^TEST$/
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !ours.test(name)))
}

/** A new empty folder, removed with all in it when disposed. */
export interface TemporaryFolder extends Disposable {
  readonly path: string
}

/** A new empty folder below the system's folder for temporary files. */
export function temporaryFolder(): TemporaryFolder {
  const folder = mkdtempSync(path.join(tmpdir(), 'atoll-test-'))
  return {
    path: folder,
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 }),
  }
}
