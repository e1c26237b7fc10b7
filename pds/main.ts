/** The PDS as a process: configuration, start, and an orderly end at a signal. */
import { DataInUseError, lockDataDirectory } from '#platform/data-lock.ts'
import { CONFIG_EXIT_STATUS, ConfigError } from '#platform/env.ts'
import { configureLog } from '#platform/log.ts'
import { FolderError, PRIVATE_UMASK } from '#platform/private-files.ts'
import { SchemaTooNewError } from '#platform/sqlite.ts'
import { ForeignDataError } from './config/data-folder.ts'
import { type Config, readConfig } from './config.ts'
import { createPds } from './pds.ts'
import { KeySecretError } from './repo/keys/key-secret.ts'

process.umask(PRIVATE_UMASK)

async function main(): Promise<void> {
  const config: Config = readConfig()
  configureLog(config.log)
  for (const { name, message } of config.warnings) console.warn(`${name} has no effect: ${message}`)
  using _lock = lockDataDirectory(config.dataDirectory, 'A PDS')
  const stopped = untilSignal()
  await using pds = await createPds(config)
  console.log(`PDS at http://localhost:${pds.port} (${config.serviceDid})`)
  await stopped
}

/** Resolves at the first signal to stop; further ones change nothing. */
function untilSignal(): Promise<unknown> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, resolve)
  })
}

try {
  await main()
} catch (error) {
  if (error instanceof ConfigError) {
    console.error(`The PDS cannot start: ${error.message}`)
    process.exit(CONFIG_EXIT_STATUS)
  }
  const isExplained =
    error instanceof DataInUseError ||
    error instanceof FolderError ||
    error instanceof ForeignDataError ||
    error instanceof KeySecretError ||
    error instanceof SchemaTooNewError ||
    // A port that is taken, or that this user may not have; a host to listen on that there is not.
    (error instanceof Error &&
      'syscall' in error &&
      ['listen', 'getaddrinfo'].includes(String(error.syscall)))
  console.error(isExplained ? `The PDS cannot start: ${error.message}` : error)
  process.exit(1)
}
