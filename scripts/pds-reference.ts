/**
 * `npm run pds:reference`: `@atproto/pds` in the PDS's place, from the same environment, with a
 * data folder of its own.
 */
import { existsSync, mkdirSync } from 'node:fs'
import path from 'node:path'
import { lockDataDirectory } from '#platform/data-lock.ts'
import { DATABASE_FILE } from '../pds/config/data-folder.ts'
import { CommandError, runCommand } from './command.ts'
import { pdsEnvironment, pdsSettings } from './environment.ts'

const DATA_DIRECTORY = './data/pds-reference'

await runCommand(async () => {
  const env = pdsEnvironment({
    ...process.env,
    PDS_DATA_DIRECTORY: process.env.PDS_DATA_DIRECTORY || DATA_DIRECTORY,
  })
  Object.assign(process.env, env)
  const { port, dataDirectory } = pdsSettings(env)
  if (existsSync(path.join(dataDirectory, DATABASE_FILE))) {
    throw new CommandError(
      `${path.resolve(dataDirectory)} holds Atoll's data; choose another PDS_DATA_DIRECTORY.`,
    )
  }
  using _lock = lockDataDirectory(dataDirectory, 'A PDS')
  if (env.PDS_BLOBSTORE_DISK_LOCATION) mkdirSync(env.PDS_BLOBSTORE_DISK_LOCATION, { recursive: true })
  // Its loggers read the environment while they load.
  const { PDS } = await import('@atproto/pds')
  await PDS.run({ onStarted: () => console.log(`@atproto/pds answers at http://localhost:${port}`) })
})
