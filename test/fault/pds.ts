/**
 * The PDS as a process that is killed and started again on the same data folder and the same port.
 */
import path from 'node:path'
import { pdsEnv } from '../support/pds.ts'
import { startPlc } from '../support/plc.ts'
import { freePort, type RunningProcess, startProcess, temporaryFolder } from '../support/processes.ts'
import { type PdsData, readPdsData, violations } from './invariants.ts'

/** A data folder with its PLC directory and its port: processes come and go on them. */
export interface PdsHome extends AsyncDisposable {
  readonly folder: string
  readonly url: string
  readonly plcUrl: string
  /** Starts the PDS and waits until it answers. `env` comes on top of its settings. */
  start(env?: NodeJS.ProcessEnv): Promise<RunningProcess>
  /** Starts it and does not wait. */
  launch(env?: NodeJS.ProcessEnv): Promise<RunningProcess>
  /** Reads the folder of a PDS that is gone, and says what is wrong with it. */
  examine(options: { started: boolean }): Promise<{ data: PdsData; found: string[] }>
}

/** Makes an empty home, in which nothing runs but the PLC directory. */
export async function makePdsHome(): Promise<PdsHome> {
  const temporary = temporaryFolder()
  const plc = await startPlc()
  const port = await freePort()
  const folder = path.join(temporary.path, 'pds')
  const url = `http://localhost:${port}`
  const run = (env: NodeJS.ProcessEnv, ready?: string) =>
    startProcess({ file: 'pds/main.ts', env: { ...pdsEnv(plc.url, folder, port), ...env }, ready })
  return {
    folder,
    url,
    plcUrl: plc.url,
    start: (env = {}) => run(env, `${url}/xrpc/_health`),
    launch: (env = {}) => run(env),
    examine: async ({ started }) => {
      const data = readPdsData(folder)
      return { data, found: await violations(data, { plcUrl: plc.url, started }) }
    },
    [Symbol.asyncDispose]: async () => {
      await plc[Symbol.asyncDispose]()
      temporary[Symbol.dispose]()
    },
  }
}

/** Kills a process as `kill -9` does, and waits until it is gone. */
export async function killNow(running: RunningProcess): Promise<void> {
  running.kill('SIGKILL')
  await running.exited
}
