/** The data folder: what the database is called in it, and whether it may be started on. */
import { existsSync } from 'node:fs'
import path from 'node:path'

/** The database's file inside the data folder. */
export const DATABASE_FILE = 'atoll.sqlite'

/**
 * The data folder belongs to an official installation, which must be adopted and not be started
 * empty beside.
 */
export class ForeignDataError extends Error {
  override name = 'ForeignDataError'
  constructor(folder: string) {
    super(
      `${path.resolve(folder)} holds the data of an official PDS (account.sqlite, actors/) that has not been adopted. ` +
        'Atoll would start empty beside it. Choose another PDS_DATA_DIRECTORY.',
    )
  }
}

/** @throws ForeignDataError */
export function refuseForeignData(folder: string): void {
  const has = (name: string) => existsSync(path.join(folder, name))
  if (!has(DATABASE_FILE) && (has('account.sqlite') || has('actors'))) throw new ForeignDataError(folder)
}
