/**
 * The protocol's test vectors and recorded frames, which lie in a folder `shared` beside the checkout and are no part of it.
 * Where it is absent (a user's machine) tests that need it are skipped; in CI they fail instead.
 */
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'

const folder = path.resolve(import.meta.dirname, '../../../shared')

/** Whether tests that read `../shared` can run. */
export const hasShared = existsSync(path.join(folder, 'data'))

if (!hasShared && process.env.CI) throw new Error('CI needs the folder ../shared beside the checkout')

/** The path of a file below `../shared`. */
export const sharedPath = (file: string): string => path.join(folder, file)

/** The bytes of a file below `../shared`. */
export const sharedBytes = (file: string): Buffer => readFileSync(sharedPath(file))

/** A JSON file below `../shared`. */
export const sharedJson = <T>(file: string): T => JSON.parse(readFileSync(sharedPath(file), 'utf8')) as T

/** The lines of a text file of vectors, without comments and empty lines. */
export const sharedLines = (file: string): string[] =>
  readFileSync(sharedPath(file), 'utf8')
    .split('\n')
    .filter((line) => line.trim() !== '' && !line.startsWith('#'))
