/** The `atoll` command as a process, with what it prints on each stream. */
import { execFile } from 'node:child_process'
import path from 'node:path'
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

/** Runs `atoll` under the pinned Node. */
export function atoll(args: string[], options: RunOptions = {}): Promise<Run> {
  return run(node, [path.join(root, 'scripts/atoll/main.ts'), ...args], options)
}

/** Runs the bin itself, under the Node that runs the tests. */
export function atollBin(args: string[], options: RunOptions = {}): Promise<Run> {
  return run(path.join(root, 'scripts/atoll.mjs'), args, options)
}

function run(file: string, args: string[], { env, cwd, input = '' }: RunOptions): Promise<Run> {
  return new Promise((resolve) => {
    const child = execFile(
      file,
      args,
      { cwd, env: { ...cleanEnvironment(), ...env } },
      (error, stdout, stderr) =>
        resolve({
          code: error === null ? 0 : Number(error.code),
          stdout,
          stderr,
          json: () => {
            if (error) throw new Error(`atoll ${args.join(' ')} ended with ${error.code}: ${stderr}`)
            return JSON.parse(stdout)
          },
        }),
    )
    child.stdin?.end(input)
  })
}
