/**
 * `npm run keys:reencrypt`: encrypts the PDS's signing keys under a new secret, while the PDS is
 * stopped.
 */

import { existsSync } from 'node:fs'
import path from 'node:path'
import { lockDataDirectory } from '#platform/data-lock.ts'
import { PRIVATE_UMASK } from '#platform/private-files.ts'
import { DATABASE_FILE } from '../pds/config/data-folder.ts'
import { exchangeKeySecret, KEY_SECRET_FILE } from '../pds/repo/keys/key-secret.ts'
import { Store } from '../pds/store/store.ts'
import { CommandError, runCommand } from './command.ts'
import { pdsSettings } from './environment.ts'

process.umask(PRIVATE_UMASK)

await runCommand(async () => {
  const { dataDirectory } = pdsSettings(process.env)
  const database = path.join(dataDirectory, DATABASE_FILE)
  if (!existsSync(database)) {
    throw new CommandError(
      `There is no PDS's data in ${path.resolve(dataDirectory)}: set PDS_DATA_DIRECTORY.`,
    )
  }
  using _lock = lockDataDirectory(dataDirectory, 'The PDS')
  using store = new Store({
    path: database,
    onFatal: (error) => {
      console.error('The disk failed to sync; nothing is known of what it holds', error)
      process.exit(1)
    },
  })
  const { keys, old } = await exchangeKeySecret(store, path.join(dataDirectory, KEY_SECRET_FILE))
  console.log(
    `${keys} signing keys are encrypted under a new secret, which belongs into every backup from now on.`,
  )
  console.log(`Backups from before need the old one, which is now ${old}. Delete it with the last of them.`)
})
