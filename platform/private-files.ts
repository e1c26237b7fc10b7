/** Files and folders that are nobody's but the owner's of the process, however they were made. */
import { accessSync, chmodSync, constants, existsSync, mkdirSync, readdirSync, statSync } from 'node:fs'
import { userInfo } from 'node:os'
import path from 'node:path'

/**
 * What a process that keeps secrets sets first of all: files that it makes are its owner's alone.
 */
export const PRIVATE_UMASK = 0o077

const FOLDER_MODE = 0o700
const FILE_MODE = 0o600

/** A folder, or a file in it, that this process cannot use as it must. */
export class FolderError extends Error {
  override name = 'FolderError'
  constructor(place: string, cause: unknown) {
    super(`${whatIsMissing(place, (cause as NodeJS.ErrnoException).code ?? '')}, or choose another folder`, {
      cause,
    })
  }
}

/**
 * Makes a folder if it is missing, and closes it to others.
 * @throws FolderError when this process may not write it, or what is in it
 */
export function makePrivateFolder(folder: string): void {
  makeFolder(folder)
  usable(folder, () => close(folder, FOLDER_MODE))
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    // Whoever ran the service as another user once left files that this one cannot write.
    const file = path.join(folder, entry.name)
    if (entry.isFile()) usable(file, () => accessSync(file, constants.R_OK | constants.W_OK), 'ENOENT')
  }
}

/**
 * Makes a folder if it is missing; what others may do there stays as it is.
 * @throws FolderError when this process may not write there
 */
export function makeFolder(folder: string): void {
  usable(folder, () => {
    mkdirSync(folder, { recursive: true, mode: FOLDER_MODE })
    accessSync(folder, constants.R_OK | constants.W_OK | constants.X_OK)
  })
}

function usable(place: string, use: () => void, passing?: string): void {
  try {
    use()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== passing) throw new FolderError(place, error)
  }
}

/** A sentence for the operator: the path, the user, and what to do. */
export function whatIsMissing(place: string, code: string): string {
  const at = path.resolve(place)
  const user = userName()
  switch (code) {
    case 'EACCES':
    case 'EPERM': {
      const owner = nearestOwner(at)
      return `${at} cannot be written by the user ${user}: permission is missing${owner}. Give it to that user (chown -R ${user} ${at})`
    }
    case 'EROFS':
      return `${at} cannot be written by the user ${user}: its file system is read-only. Mount it for writing`
    case 'ENOSPC':
    case 'EDQUOT':
      return `${at} cannot be written by the user ${user}: the disk or the quota is full. Free some space`
    case 'EEXIST':
    case 'ENOTDIR':
      return `${at} cannot be a folder: a file is in its place, or in that of a folder above it. Move the file away`
    default:
      return `${at} cannot be used by the user ${user} (${code || 'for an unknown reason'}). See to it that this user may write there`
  }
}

function userName(): string {
  try {
    return userInfo().username
  } catch {
    // A user id without an entry, as containers have it.
    return String(process.getuid?.() ?? 'of this process')
  }
}

/** Whose the path is, or the nearest folder above it that can be seen. */
function nearestOwner(at: string): string {
  try {
    const { uid, mode } = statSync(at)
    return ` (${at} belongs to user id ${uid}, mode ${(mode & 0o777).toString(8)})`
  } catch {
    const above = path.dirname(at)
    return above === at ? '' : nearestOwner(above)
  }
}

/** Closes a database to others, with the files that SQLite keeps beside it. */
export function closeDatabaseFiles(database: string): void {
  for (const file of [database, `${database}-wal`, `${database}-shm`])
    if (existsSync(file)) close(file, FILE_MODE)
}

/** What somebody else owns stays as they made it. */
function close(place: string, mode: number): void {
  try {
    chmodSync(place, mode)
  } catch (error) {
    if (!['EPERM', 'EROFS', 'ENOTSUP'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error
  }
}
