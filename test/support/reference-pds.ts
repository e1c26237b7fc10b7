/**
 * `@atproto/pds` in a process of its own, for tests that agree with it, move accounts to it or
 * follow it.
 */
import { freePort, type RunningProcess, startProcess, temporaryFolder } from './processes.ts'

export interface ReferencePds extends AsyncDisposable {
  /** Without a slash at the end. */
  readonly url: string
  readonly process: RunningProcess
}

/**
 * Starts the reference on a free port, in development mode, with data of its own that go with it.
 * @param plcUrl the PLC directory that it registers accounts with
 * @param env goes before the settings made here
 */
export async function startReferencePds(plcUrl: string, env: NodeJS.ProcessEnv = {}): Promise<ReferencePds> {
  const folder = temporaryFolder()
  const port = Number(env.PDS_PORT ?? (await freePort()))
  const url = `http://localhost:${port}`
  try {
    const running = await startProcess({
      file: 'scripts/pds-reference.ts',
      env: { PDS_DATA_DIRECTORY: folder.path, PDS_PORT: String(port), PDS_DID_PLC_URL: plcUrl, ...env },
      ready: `${url}/xrpc/_health`,
    })
    return {
      url,
      process: running,
      [Symbol.asyncDispose]: async () => {
        await running.stop()
        folder[Symbol.dispose]()
      },
    }
  } catch (error) {
    folder[Symbol.dispose]()
    throw error
  }
}
