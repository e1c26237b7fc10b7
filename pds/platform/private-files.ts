/** Files and folders that are nobody's but the owner's of the process, however they were made. */
import { chmodSync, existsSync, mkdirSync } from 'node:fs'

/** What a process that keeps secrets sets first of all: files that it makes are its owner's alone. */
export const PRIVATE_UMASK = 0o077

const FOLDER_MODE = 0o700
const FILE_MODE = 0o600

/** Makes a folder if it is missing, and closes it to others. */
export function makePrivateFolder(path: string): void {
  mkdirSync(path, { recursive: true, mode: FOLDER_MODE })
  close(path, FOLDER_MODE)
}

/** Closes a database to others, with the files that SQLite keeps beside it. */
export function closeDatabaseFiles(path: string): void {
  for (const file of [path, `${path}-wal`, `${path}-shm`]) if (existsSync(file)) close(file, FILE_MODE)
}

/** What somebody else owns stays as they made it. */
function close(path: string, mode: number): void {
  try {
    chmodSync(path, mode)
  } catch (error) {
    if (!['EPERM', 'EROFS', 'ENOTSUP'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error
  }
}
