/**
 * The `atoll` command with what it prints on each stream: in this process for most tests, as a
 * process where that is the point.
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import { execFile } from 'node:child_process'
import path from 'node:path'
import { Readable } from 'node:stream'
import { format } from 'node:util'
import { atollProgram } from '../../../scripts/atoll/program.ts'
import { runCommand } from '../../../scripts/command.ts'
import { cleanEnvironment, root } from '../../support/processes.ts'

export interface Run {
  code: number
  stdout: string
  stderr: string
  /** What `--json` printed. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into results of any shape
  json(): any
}

export interface RunOptions {
  env?: Record<string, string>
  cwd?: string
  input?: string
}

const node = path.join(root, 'node_modules/node/bin/node')

/** Runs the command in this process, with an environment, streams and an exit code of its own. */
export async function atoll(args: string[], { env, input = '' }: Omit<RunOptions, 'cwd'> = {}): Promise<Run> {
  const process = new CommandProcess({ ...cleanEnvironment(), ...env }, input)
  await process.run(() =>
    runCommand(async () => {
      await atollProgram().parseAsync(args, { from: 'user' })
    }),
  )
  return runOf(args, process.exitCode ?? 0, process.stdout, process.stderr)
}

/** Runs `atoll` as a process, under the pinned Node. */
export function atollProcess(args: string[], options: RunOptions = {}): Promise<Run> {
  return execute(node, [path.join(root, 'scripts/atoll/main.ts'), ...args], args, options)
}

/** Runs the bin itself, under the Node that runs the tests. */
export function atollBin(args: string[], options: RunOptions = {}): Promise<Run> {
  return execute(path.join(root, 'scripts/atoll.mjs'), args, args, options)
}

function execute(file: string, argv: string[], args: string[], options: RunOptions): Promise<Run> {
  const { env, cwd, input = '' } = options
  return new Promise((resolve) => {
    const child = execFile(
      file,
      argv,
      { cwd, env: { ...cleanEnvironment(), ...env } },
      (error, stdout, stderr) =>
        resolve(runOf(args, error === null ? 0 : Number(error.code), stdout, stderr)),
    )
    child.stdin?.end(input)
  })
}

function runOf(args: string[], code: number, stdout: string, stderr: string): Run {
  return {
    code,
    stdout,
    stderr,
    json: () => {
      if (code !== 0) throw new Error(`atoll ${args.join(' ')} ended with ${code}: ${stderr}`)
      return JSON.parse(stdout)
    },
  }
}

/** Thrown by `process.exit`, so that nothing after it runs. */
class ExitError extends Error {
  override name = 'ExitError'
}

/** What a command sees of `process` while it runs in the process of the tests. */
class CommandProcess {
  static readonly #current = new AsyncLocalStorage<CommandProcess>()
  readonly stdin: Readable
  stdout = ''
  stderr = ''
  exitCode: number | undefined
  readonly env: NodeJS.ProcessEnv

  constructor(env: NodeJS.ProcessEnv, input: string) {
    this.env = env
    this.stdin = Readable.from([Buffer.from(input)])
  }

  /** Runs `body` until it ends or exits. Several may run at once. */
  async run(body: () => Promise<void>): Promise<void> {
    try {
      await CommandProcess.#current.run(this, body)
    } catch (error) {
      if (!(error instanceof ExitError)) throw error
    }
  }

  /** The first exit is the one that counts: of what runs after it, nothing is heard. */
  exit(code = 0): never {
    this.exitCode ??= code
    throw new ExitError(`exit with ${code}`)
  }

  write(stream: 'stdout' | 'stderr', text: string): boolean {
    if (this.exitCode === undefined) this[stream] += text
    return true
  }

  /** Has `process` and `console` of this thread ask which command, if any, they are used by. */
  static {
    const current = () => CommandProcess.#current.getStore()
    for (const stream of ['stdout', 'stderr'] as const) {
      const write = process[stream].write.bind(process[stream]) as (...args: unknown[]) => boolean
      process[stream].write = (chunk: string | Uint8Array, ...more: unknown[]) =>
        current()?.write(stream, String(chunk)) ?? write(chunk, ...more)
    }
    const { error } = console
    console.error = (...args) => current()?.write('stderr', `${format(...args)}\n`) ?? error(...args)
    const exit = process.exit.bind(process)
    process.exit = (code) => current()?.exit(Number(code ?? 0)) ?? exit(code)
    let { env } = process
    Object.defineProperty(process, 'env', {
      configurable: true,
      get: () => current()?.env ?? env,
      set: (value) => {
        env = value
      },
    })
    const stdin = Object.getOwnPropertyDescriptor(process, 'stdin')?.get?.bind(process)
    Object.defineProperty(process, 'stdin', {
      configurable: true,
      get: () => current()?.stdin ?? stdin?.(),
    })
  }
}
