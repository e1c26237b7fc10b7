/** What the command-line scripts have in common: how they end, and how they say why. */

/** An ending that its message explains whole: it is printed without a stack. */
export class CommandError extends Error {
  override name = 'CommandError'
}

/**
 * Runs a script's body. An error ends the process with code 1 and its message; one that the user can do nothing about, with its stack.
 */
export async function runCommand(body: () => Promise<void>): Promise<void> {
  try {
    await body()
  } catch (error) {
    console.error(explain(error))
    // Whatever still runs (a pool, a child) does not keep a failed command alive.
    process.exit(1)
  }
}

/** Settles at the first SIGINT, SIGTERM or SIGHUP. Later ones change nothing: stopping is under way. */
export function untilSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, resolve)
  })
}

function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  if (isPortInUse(error)) return `port ${error.port} is in use: stop what listens there, or choose another`
  return EXPLAINED.has(error.name) ? error.message : (error.stack ?? error.message)
}

/** Names of errors whose message is enough. */
const EXPLAINED = new Set(['CommandError', 'DataInUseError', 'ProcessNotReadyError'])

function isPortInUse(error: Error): error is Error & { port: number } {
  return 'code' in error && error.code === 'EADDRINUSE' && 'port' in error
}
