/**
 * `npm run pds:reference`: `@atproto/pds` in the PDS's place, from the same environment, with a data folder of its own.
 */
import { mkdirSync } from 'node:fs'
import { lockDataDirectory } from '#platform/data-lock.ts'
import { runCommand } from './command.ts'
import { pdsEnvironment, pdsSettings } from './environment.ts'

const DATA_DIRECTORY = './data/pds-reference'

await runCommand(async () => {
  const env = pdsEnvironment({ PDS_DATA_DIRECTORY: DATA_DIRECTORY, ...process.env })
  Object.assign(process.env, env)
  const { port, dataDirectory } = pdsSettings(env)
  using _lock = lockDataDirectory(dataDirectory, 'A PDS')
  if (env.PDS_BLOBSTORE_DISK_LOCATION) mkdirSync(env.PDS_BLOBSTORE_DISK_LOCATION, { recursive: true })
  // Its loggers read the environment while they load.
  const { PDS } = await import('@atproto/pds')
  await PDS.run({ onStarted: () => console.log(`@atproto/pds answers at http://localhost:${port}`) })
})
