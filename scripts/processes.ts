/**
 * Services as child processes: started with the pinned Node, waited for, stopped in time.
 *
 * A child is told when its parent is gone, whatever ended the parent, and then stops too: an orphan
 * would keep the ports and the data folders that the next start needs. What the children are and in
 * which order they start and stop is for the callers to say.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { createServer } from 'node:net'
import path from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'

/** The folder of the checkout. */
export const root = path.dirname(import.meta.dirname)

const pinnedNode = path.join(
  root,
  'node_modules/node/bin',
  process.platform === 'win32' ? 'node.exe' : 'node',
)
/**
 * The Node that runs the children: the pinned one, or the one that runs this where an image brings
 * its own.
 */
const node = existsSync(pinnedNode) ? pinnedNode : process.execPath

/** How long a child may take to answer after its start. */
export const readySecondsMax = 60
/** How long a child may take to stop before it is killed. */
export const stopSecondsMax = 10
/** How much of a child's output is kept, in characters; the oldest goes first. */
const outputCharsMax = 1_000_000
/** How often a child that is starting is asked whether it answers. */
const probeMillis = 50

export interface ProcessOptions {
  /** The TypeScript or JavaScript file to run, absolute or relative to the checkout. */
  file: string
  args?: string[]
  /** The child's whole environment. */
  env: NodeJS.ProcessEnv
  /**
   * When the child is ready: a URL that answers with a 2xx status, or what a line of its output
   * holds. Without it, at once.
   */
  ready?: string | RegExp
  /** Gets each line that the child prints, on either stream, beside `output()`. */
  onLine?: (line: string) => void
}

export interface RunningProcess extends AsyncDisposable {
  readonly pid: number
  /** The exit code, or null when a signal ended it. */
  readonly exited: Promise<number | null>
  /** What it printed so far, both streams together. */
  output(): string
  /** Sends a signal; nothing happens when it is gone already. */
  kill(signal?: NodeJS.Signals): void
  /**
   * Asks it to stop, kills it after `stopSecondsMax`. Settles when it is gone, with its exit code.
   */
  stop(): Promise<number | null>
}

/** A child that ended, or did not answer in time, while it was waited for. */
export class ProcessNotReadyError extends Error {
  override name = 'ProcessNotReadyError'
  readonly output: string
  constructor(message: string, output: string) {
    super(`${message}\n${output}`)
    this.output = output
  }
}

/**
 * Runs a file in a process of its own and waits until it is ready.
 * @throws ProcessNotReadyError with what the child printed; the child is gone then
 */
export async function startProcess(options: ProcessOptions): Promise<RunningProcess> {
  const child = launch(options)
  if (options.ready === undefined) return child
  try {
    await untilReady(child, options.ready, path.basename(options.file))
    return child
  } catch (error) {
    child.kill('SIGKILL')
    await child.exited
    throw error
  }
}

/** Runs a file in a process of its own; `untilReady` waits for it. */
export function launch({ file, args = [], env, onLine }: ProcessOptions): RunningProcess {
  const child = spawn(
    node,
    ['--import', path.join(root, 'scripts/stop-with-parent.ts'), path.resolve(root, file), ...args],
    // A group of its own: Ctrl-C in the terminal reaches the parent alone, which stops its children
    // in order.
    { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe', 'ipc'], detached: true },
  )
  let output = ''
  const collect = (line: string) => {
    output = `${output}${line}\n`.slice(-outputCharsMax)
    onLine?.(line)
  }
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream as Readable }).on('line', collect)
  }
  const exited = exitOf(child)
  return {
    pid: child.pid ?? 0,
    exited,
    output: () => output,
    kill: (signal = 'SIGTERM') => {
      child.kill(signal)
    },
    stop: () => stop(child, exited),
    [Symbol.asyncDispose]: async () => {
      await stop(child, exited)
    },
  }
}

/**
 * Waits until a child answers at a URL or has printed a line.
 * @throws ProcessNotReadyError when it ends before, or after `readySecondsMax`
 */
export async function untilReady(child: RunningProcess, ready: string | RegExp, name: string): Promise<void> {
  const deadline = Date.now() + readySecondsMax * 1000
  let ended = false
  child.exited.then(() => {
    ended = true
  })
  while (!(typeof ready === 'string' ? await answers(ready) : ready.test(child.output()))) {
    if (ended) {
      throw new ProcessNotReadyError(
        `${name} ended with ${await child.exited} before it was ready`,
        child.output(),
      )
    }
    if (Date.now() > deadline) {
      throw new ProcessNotReadyError(`${name} is not ready after ${readySecondsMax} s`, child.output())
    }
    await sleep(probeMillis)
  }
}

/** Whether a GET of the URL is answered with a 2xx status within a second. */
export async function answers(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(1000) })
    await response.body?.cancel()
    return response.ok
  } catch {
    return false
  }
}

/** A port of this machine that is free now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0)
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('a TCP server has a port')
  return address.port
}

/** Whether nothing listens on the port, on any address of this machine. */
export async function isPortFree(port: number): Promise<boolean> {
  const server = createServer()
  const outcome = new Promise<boolean>((resolve, reject) => {
    server.once('listening', () => resolve(true))
    server.once('error', (error: NodeJS.ErrnoException) =>
      error.code === 'EADDRINUSE' ? resolve(false) : reject(error),
    )
  })
  server.listen(port)
  const free = await outcome
  if (free) {
    server.close()
    await once(server, 'close')
  }
  return free
}

/** Settles once the process is gone and all it printed was read. */
function exitOf(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve) => {
    child.once('close', (code) => resolve(code))
    child.once('error', () => resolve(null))
  })
}

async function stop(child: ChildProcess, exited: Promise<number | null>): Promise<number | null> {
  if (child.exitCode === null && child.signalCode === null) {
    child.kill('SIGTERM')
    const timer = setTimeout(() => child.kill('SIGKILL'), stopSecondsMax * 1000)
    await exited
    clearTimeout(timer)
  }
  return exited
}
