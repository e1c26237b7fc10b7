/**
 * Our PDS on a free port: in this process for most tests, in one of its own where that is the
 * point. Its data go with it.
 */
import { AtpAgent } from '@atproto/api'
import { readConfig } from '../../pds/config.ts'
import { createPds, type Pds } from '../../pds/pds.ts'
import type { Substitutes } from '../../pds/wiring/services.ts'
import { freePort, type RunningProcess, startProcess, temporaryFolder } from './processes.ts'

/** Where a test finds its PDS. */
export interface TestPds extends AsyncDisposable {
  /** Without a slash at the end. */
  readonly url: string
  readonly port: number
  /** The data folder. */
  readonly folder: string
}

/** A PDS of this process: its inside can be looked at. */
export interface InProcessPds extends TestPds {
  readonly services: Pds['services']
}

/** A PDS in a process of its own. */
export interface ProcessPds extends TestPds {
  readonly process: RunningProcess
}

export interface PdsOptions {
  /** The directory that it registers accounts with. */
  readonly plcUrl: string
  /** Goes before the settings made here. */
  readonly env?: Record<string, string>
  /** A data folder that stays when the PDS goes; by default a temporary one. */
  readonly folder?: string
}

/** The secrets of every PDS of the tests. */
export const secrets = {
  PDS_JWT_SECRET: 'jwt-secret-of-the-tests-0123456789',
  PDS_ADMIN_PASSWORD: 'admin-password-of-the-tests',
  PDS_PLC_ROTATION_KEY_K256_PRIVATE_KEY_HEX:
    '4f7b2b1e7c1a4a0b9d7d3c5e6f8091a2b3c4d5e6f708192a3b4c5d6e7f809101',
}

/** The environment of a PDS for this machine alone. */
export function pdsEnv(plcUrl: string, folder: string, port: number): Record<string, string> {
  return {
    ...secrets,
    PDS_DEV_MODE: 'true',
    PDS_HOSTNAME: 'localhost',
    PDS_PORT: String(port),
    PDS_DATA_DIRECTORY: folder,
    PDS_DID_PLC_URL: plcUrl,
    PDS_SERVICE_HANDLE_DOMAINS: '.test',
    PDS_INVITE_REQUIRED: 'false',
  }
}

/** Starts a PDS in this process. */
export function startPds({
  plcUrl,
  env,
  folder,
  ...substitutes
}: PdsOptions & Substitutes): Promise<InProcessPds> {
  return withFolder(folder, async (folder) => {
    const port = await freePort()
    const pds = await createPds(readConfig({ ...pdsEnv(plcUrl, folder, port), ...env }), substitutes)
    return {
      url: `http://localhost:${pds.port}`,
      port: pds.port,
      folder,
      services: pds.services,
      [Symbol.asyncDispose]: () => pds[Symbol.asyncDispose](),
    }
  })
}

/** Starts a PDS as a process of its own, under plain Node. */
export function startPdsProcess({ plcUrl, env, folder }: PdsOptions): Promise<ProcessPds> {
  return withFolder(folder, async (folder) => {
    const port = await freePort()
    const url = `http://localhost:${port}`
    const process = await startProcess({
      file: 'pds/main.ts',
      env: { ...pdsEnv(plcUrl, folder, port), ...env },
      ready: `${url}/xrpc/_health`,
    })
    return { url, port, folder, process, [Symbol.asyncDispose]: () => process[Symbol.asyncDispose]() }
  })
}

/** Runs `start` with the folder, or with a temporary one that goes with what it started. */
async function withFolder<T extends AsyncDisposable>(
  folder: string | undefined,
  start: (folder: string) => Promise<T>,
): Promise<T> {
  if (folder !== undefined) return start(folder)
  const temporary = temporaryFolder()
  try {
    const started = await start(temporary.path)
    return {
      ...started,
      [Symbol.asyncDispose]: async () => {
        await started[Symbol.asyncDispose]()
        temporary[Symbol.dispose]()
      },
    }
  } catch (error) {
    temporary[Symbol.dispose]()
    throw error
  }
}

export const PASSWORD = 'correct horse battery staple'

/** A signed-in client of the official library. */
export interface TestUser {
  readonly agent: AtpAgent
  readonly did: string
  readonly handle: string
}

/** Makes an account called `<name>.test` and signs in to it. */
export async function createUser(pds: { url: string }, name: string): Promise<TestUser> {
  const agent = new AtpAgent({ service: pds.url })
  const handle = `${name}.test`
  const { data } = await agent.createAccount({ handle, email: `${name}@mail.example`, password: PASSWORD })
  return { agent, handle, did: data.did }
}

/** A post's record with little in it. */
export function post(text: string, more: object = {}) {
  return { $type: 'app.bsky.feed.post', text, createdAt: new Date().toISOString(), ...more }
}

/** The error that a promise rejects with. */
export async function rejection<E = { status: number; error: string; message: string }>(
  promise: Promise<unknown>,
): Promise<E> {
  try {
    await promise
  } catch (error) {
    return error as E
  }
  throw new Error('it was expected to fail')
}
