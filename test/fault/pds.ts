/** The PDS as a process that is killed and started again on the same data folder and the same port. */
import path from 'node:path'
import { type PlcDirectory, startPlc } from '../support/plc.ts'
import { freePort, type RunningProcess, startProcess, temporaryFolder } from '../support/processes.ts'
import { type PdsData, readPdsData, violations } from './invariants.ts'

/** A data folder with its PLC directory and its port; processes come and go on it. */
export interface PdsHome extends AsyncDisposable {
  readonly folder: string
  readonly url: string
  readonly plcUrl: string
  /** Starts the PDS and waits until it is ready. `env` comes on top of its settings. */
  start(env?: NodeJS.ProcessEnv): Promise<RunningProcess>
  /** Starts it and does not wait. */
  launch(env?: NodeJS.ProcessEnv): Promise<RunningProcess>
  /** Reads the folder, the process being gone, and says what is wrong with it. */
  examine(options: { started: boolean }): Promise<{ data: PdsData; found: string[] }>
}

/** What the PDS prints once it answers. */
export const READY = /^PDS at/m

export async function makePdsHome(): Promise<PdsHome> {
  const temporary = temporaryFolder()
  const plc: PlcDirectory = await startPlc()
  const port = await freePort()
  const folder = path.join(temporary.path, 'pds')
  const settings = {
    PDS_DEV_MODE: 'true',
    PDS_HOSTNAME: 'localhost',
    PDS_PORT: String(port),
    PDS_DATA_DIRECTORY: folder,
    PDS_DID_PLC_URL: plc.url,
    PDS_SERVICE_HANDLE_DOMAINS: '.test',
    PDS_INVITE_REQUIRED: 'false',
    PDS_JWT_SECRET: 'a secret of this test',
    PDS_ADMIN_PASSWORD: 'another',
    PDS_PLC_ROTATION_KEY_K256_PRIVATE_KEY_HEX: '1d'.repeat(32),
  }
  const run = (env: NodeJS.ProcessEnv, ready?: RegExp) =>
    startProcess({ file: 'pds/main.ts', env: { ...settings, ...env }, ready })
  return {
    folder,
    url: `http://localhost:${port}`,
    plcUrl: plc.url,
    start: (env = {}) => run(env, READY),
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
