/**
 * What the benchmark measures: a server in a process of its own, in production mode as its users
 * run it, and the HTTP that loads it. What is asked of it is for `workloads.ts`.
 */
import { randomBytes } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import path from 'node:path'
import { Pool } from 'undici'
import { freePort, type RunningProcess, startProcess } from '../processes.ts'

/** As many as the most workers of a workload: none of them waits for another's connection. */
const connectionsMax = 20
const HOSTNAME = 'bench.test'
const PASSWORD = 'bench-password'

export interface Account {
  did: string
  accessJwt: string
}

/** An answer that is no success ends the benchmark: nothing is measured by counting errors. */
export class RequestFailedError extends Error {
  override name = 'RequestFailedError'
}

/**
 * The environment both servers get, but for their port and folder: production mode, against a PLC
 * directory on this machine.
 */
export function benchEnvironment(plcUrl: string): NodeJS.ProcessEnv {
  const { PATH } = process.env
  return {
    PATH,
    NODE_ENV: 'production',
    LOG_ENABLED: 'false',
    PDS_DEV_MODE: 'false',
    PDS_HOSTNAME: HOSTNAME,
    PDS_SERVICE_HANDLE_DOMAINS: `.${HOSTNAME}`,
    PDS_INVITE_REQUIRED: 'false',
    // On a public host Atoll limits requests by itself, where `@atproto/pds` does not.
    PDS_RATE_LIMITS_ENABLED: 'false',
    // Without it, `@atproto/pds` takes no archive larger than a blob.
    PDS_MAX_REPO_IMPORT_SIZE: '1000000000',
    PDS_DID_PLC_URL: plcUrl,
    // The PLC directory is on this machine and speaks http.
    PDS_DISABLE_SSRF_PROTECTION: 'true',
    PDS_JWT_SECRET: randomBytes(16).toString('hex'),
    PDS_ADMIN_PASSWORD: randomBytes(16).toString('hex'),
    PDS_PLC_ROTATION_KEY_K256_PRIVATE_KEY_HEX: randomBytes(32).toString('hex'),
  }
}

export class BenchServer implements AsyncDisposable {
  readonly #process: RunningProcess
  readonly #folder: string
  readonly #pool: Pool
  readonly #port: number
  #accounts = 0

  private constructor(process: RunningProcess, port: number, folder: string) {
    this.#process = process
    this.#folder = folder
    this.#port = port
    this.#pool = new Pool(`http://127.0.0.1:${port}`, { connections: connectionsMax, pipelining: 1 })
  }

  /** Starts `file` with its data below `folder`. */
  static async start(file: string, env: NodeJS.ProcessEnv, folder: string): Promise<BenchServer> {
    const port = await freePort()
    const running = await startProcess({
      file,
      env: {
        ...env,
        PDS_PORT: String(port),
        PDS_DATA_DIRECTORY: folder,
        PDS_BLOBSTORE_DISK_LOCATION: path.join(folder, 'blocks'),
      },
      ready: `http://127.0.0.1:${port}/xrpc/_health`,
    })
    return new BenchServer(running, port, folder)
  }

  /** The URL of a subscription. */
  subscriptionUrl(method: string, params: string): string {
    return `ws://127.0.0.1:${this.#port}/xrpc/${method}?${params}`
  }

  /**
   * A query whose answer is read whole and thrown away; resolves with its size in bytes.
   * @param params the query string
   */
  async fetchBytes(method: string, params: string): Promise<number> {
    const { statusCode, body } = await this.#pool.request({
      method: 'GET',
      path: `/xrpc/${method}?${params}`,
    })
    if (statusCode !== 200) throw await failure(method, statusCode, body)
    let bytes = 0
    for await (const chunk of body) bytes += (chunk as Buffer).length
    return bytes
  }

  /** A query whose answer is JSON. */
  async query<T>(method: string, params: string): Promise<T> {
    const { statusCode, body } = await this.#pool.request({
      method: 'GET',
      path: `/xrpc/${method}?${params}`,
    })
    if (statusCode !== 200) throw await failure(method, statusCode, body)
    return (await body.json()) as T
  }

  /** A procedure called with JSON, as an account when one is given; its answer is JSON. */
  async call<T>(method: string, input: unknown, account?: Account): Promise<T> {
    return JSON.parse(await this.send(method, JSON.stringify(input), 'application/json', account)) as T
  }

  /** A procedure called with a body of any type; its answer as text. */
  async send(method: string, input: string | Buffer, type: string, account?: Account): Promise<string> {
    const { statusCode, body } = await this.#pool.request({
      method: 'POST',
      path: `/xrpc/${method}`,
      headers: { 'content-type': type, ...(account && { authorization: `Bearer ${account.accessJwt}` }) },
      body: input,
    })
    if (statusCode !== 200) throw await failure(method, statusCode, body)
    return body.text()
  }

  /** A new account with no records. */
  createAccount(): Promise<Account> {
    const name = `account-${++this.#accounts}`
    return this.call<Account>('com.atproto.server.createAccount', {
      handle: `${name}.${HOSTNAME}`,
      email: `${name}@${HOSTNAME}`,
      password: PASSWORD,
    })
  }

  /** Signs in with the password. */
  createSession({ did }: Account): Promise<Account> {
    return this.call('com.atproto.server.createSession', { identifier: did, password: PASSWORD })
  }

  /** What the server's files take on the disk. */
  diskBytes(): number {
    return readdirSync(this.#folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .reduce((sum, { parentPath, name }) => sum + allocatedBytes(path.join(parentPath, name)), 0)
  }

  /** What of the process is in memory; NaN where the system has no /proc. */
  residentBytes(): number {
    return residentBytes(this.#process.pid)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pool.destroy()
    await this.#process.stop()
  }
}

/** What of a process is in memory; NaN where the system has no /proc. */
export function residentBytes(pid: number): number {
  const status = `/proc/${pid}/status`
  const [, kilobytes] = (existsSync(status) && /VmRSS:\s+(\d+)/.exec(readFileSync(status, 'utf8'))) || []
  return Number(kilobytes) * 1024
}

/** 0 for a file that is gone meanwhile. */
function allocatedBytes(file: string): number {
  return (statSync(file, { throwIfNoEntry: false })?.blocks ?? 0) * 512
}

async function failure(
  method: string,
  status: number,
  body: { text(): Promise<string> },
): Promise<RequestFailedError> {
  return new RequestFailedError(`${method} answered ${status}: ${(await body.text()).slice(0, 500)}`)
}
