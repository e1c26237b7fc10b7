/**
 * One process for each data folder.
 *
 * The lock is SQLite's exclusive lock on an empty file of its own, held by an open transaction: the
 * operating system drops it with the process, `kill -9` included, so no stale lock is ever in the
 * way. Databases in the folder stay open to readers from outside (backups, `sqlite3`), which do not
 * ask for it.
 */
import path from 'node:path'
import Database from 'better-sqlite3'
import { makePrivateFolder } from './private-files.ts'

/** The lock's file inside the folder that it guards. */
const LOCK_FILE = '.lock'

/** Another process holds the folder. */
export class DataInUseError extends Error {
  override name = 'DataInUseError'
  readonly folder: string
  constructor(folder: string, what: string) {
    super(`${what} is running already on the data in ${folder}: stop it first, or choose another folder`)
    this.folder = folder
  }
}

/**
 * Takes the folder for this process until it disposes of the lock or ends. Makes the folder if it
 * is missing, and closes it to others.
 * @param what names the service in the error's message: `The PDS`
 * @throws DataInUseError when another process, or this one, holds it
 */
export function lockDataDirectory(folder: string, what: string): Disposable {
  makePrivateFolder(folder)
  const db = new Database(path.join(folder, LOCK_FILE), { timeout: 0 })
  try {
    // Nothing is ever written: a journal would only be one more file.
    db.pragma('journal_mode = MEMORY')
    db.exec('BEGIN EXCLUSIVE')
  } catch (error) {
    db.close()
    if (error instanceof Database.SqliteError && error.code === 'SQLITE_BUSY') {
      throw new DataInUseError(path.resolve(folder), what)
    }
    throw error
  }
  return { [Symbol.dispose]: () => db.close() }
}
