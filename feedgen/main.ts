/**
 * The feed generator as a process: reads its configuration, runs, and stops cleanly at SIGINT or
 * SIGTERM.
 */
import { DataInUseError, lockDataDirectory } from '#platform/data-lock.ts'
import { CONFIG_EXIT_STATUS, ConfigError } from '#platform/env.ts'
import { configureLog, logger } from '#platform/log.ts'
import { FolderError, PRIVATE_UMASK } from '#platform/private-files.ts'
import { type FeedgenConfig, readConfig } from './config.ts'
import { createFeedgen } from './feedgen.ts'

process.umask(PRIVATE_UMASK)

const log = logger('feedgen')

const config = readOrExit()
configureLog(config.log)
try {
  await run(config)
} catch (error) {
  const isExplained =
    error instanceof DataInUseError ||
    error instanceof FolderError ||
    ['listen', 'getaddrinfo'].includes((error as NodeJS.ErrnoException).syscall ?? '')
  if (isExplained) fail((error as Error).message, 1)
  throw error
}

async function run(config: FeedgenConfig): Promise<void> {
  using _lock = lockDataDirectory(config.dataDirectory, 'The feed generator')
  const stopped = untilSignal()
  await using feedgen = await createFeedgen(config)
  console.log(`feed generator at ${feedgen.url} (${config.serviceDid})`)
  log.info({ signal: await stopped }, 'stopping')
}

/** Resolves at the first signal to stop; further ones change nothing. */
function untilSignal(): Promise<NodeJS.Signals> {
  const { promise, resolve } = Promise.withResolvers<NodeJS.Signals>()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, resolve)
  return promise
}

function readOrExit(): FeedgenConfig {
  try {
    return readConfig()
  } catch (error) {
    if (error instanceof ConfigError) fail(error.message, CONFIG_EXIT_STATUS)
    throw error
  }
}

function fail(message: string, status: number): never {
  console.error(message)
  process.exit(status)
}
