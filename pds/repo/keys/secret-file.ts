/**
 * The file of the secret that signing keys are encrypted under. It lies outside the database, so
 * that a copy of the database is not a copy of every key. Without that file no repository can be
 * signed: it belongs in every backup, apart from the database.
 */
import { randomBytes } from 'node:crypto'
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { crashPoint } from '#platform/crash-points.ts'
import { SEALING_KEY_BYTES } from '#platform/sealing.ts'

/**
 * The secret of a key file, created on the first start, readable by its owner only. The file and
 * its folder's entry are synced before any key is encrypted under it.
 */
export function loadKeySecret(path: string): Buffer {
  const secret = readKeySecret(path)
  if (secret !== undefined) return secret
  const made = newKeySecret()
  const unfinished = `${path}.new`
  writeKeySecret(unfinished, made)
  crashPoint('secret.beforeRename')
  moveKeySecret(unfinished, path)
  return made
}

/** The secret that a file holds; undefined when there is no such file. */
export function readKeySecret(path: string): Buffer | undefined {
  try {
    const secret = Buffer.from(readFileSync(path, 'utf8').trim(), 'hex')
    if (secret.length === SEALING_KEY_BYTES) return secret
    throw new Error(`${path} does not hold ${SEALING_KEY_BYTES} bytes in hexadecimal`)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

export const newKeySecret = (): Buffer => randomBytes(SEALING_KEY_BYTES)

/**
 * Writes a secret to a file, readable by its owner only. It is on the disk afterwards, but for the
 * folder's entry.
 */
export function writeKeySecret(path: string, secret: Buffer): void {
  const file = openSync(path, 'w', 0o600)
  try {
    writeSync(file, `${secret.toString('hex')}\n`)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
}

/** Gives a secret's file another name, durably. */
export function moveKeySecret(from: string, to: string): void {
  renameSync(from, to)
  syncFolder(dirname(to))
}

function syncFolder(path: string): void {
  const folder = openSync(path, 'r')
  try {
    fsyncSync(folder)
  } finally {
    closeSync(folder)
  }
}
