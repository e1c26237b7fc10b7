/** What the command-line scripts have in common: how they end, and how they say why. */

/** An ending that its message explains whole: it is printed without a stack. */
export class CommandError extends Error {
  override name = 'CommandError'
  /** What the process ends with. */
  readonly exitCode: number = 1
}

/** What a script ends with when its command line is wrong. */
export const usageExitCode = 2

/** The command line is not one that the script knows. */
export class UsageError extends CommandError {
  override name = 'UsageError'
  override readonly exitCode = usageExitCode
}

/**
 * Runs a script's body. An error ends the process with its exit code and message, or with its stack
 * when the message is not enough.
 */
export async function runCommand(body: () => Promise<void>): Promise<void> {
  try {
    await body()
  } catch (error) {
    console.error(explain(error))
    // Whatever still runs (a pool, a child) does not keep a failed command alive.
    process.exit(error instanceof CommandError ? error.exitCode : 1)
  }
}

/**
 * Settles at the first SIGINT, SIGTERM or SIGHUP. Later ones change nothing: stopping is under way.
 */
export function untilSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, resolve)
  })
}

function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  if (isPortInUse(error)) return `Port ${error.port} is in use: stop what listens there, or choose another.`
  const isExplained = error instanceof CommandError || EXPLAINED.has(error.name)
  return isExplained ? error.message : (error.stack ?? error.message)
}

/** Names of other errors whose message is enough. */
const EXPLAINED = new Set([
  'ConfigError',
  'DataInUseError',
  'FolderError',
  'KeySecretError',
  'ProcessNotReadyError',
  'RequestFailedError',
])

function isPortInUse(error: Error): error is Error & { port: number } {
  return 'code' in error && error.code === 'EADDRINUSE' && 'port' in error
}
