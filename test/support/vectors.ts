/** The protocol's test vectors, and recorded frames and a repository of the network. */
import { readFileSync } from 'node:fs'
import path from 'node:path'

const folder = path.resolve(import.meta.dirname, '../interop/vectors')

/** The path of a file or folder of vectors. */
export const vectorPath = (name: string): string => path.join(folder, name)

/** The bytes of a file of vectors. */
export const vectorBytes = (name: string): Buffer => readFileSync(vectorPath(name))

/** A JSON file of vectors. */
export const vectorJson = <T>(name: string): T => JSON.parse(readFileSync(vectorPath(name), 'utf8')) as T

/** The lines of a text file of vectors, without comments and empty lines. */
export const vectorLines = (name: string): string[] =>
  readFileSync(vectorPath(name), 'utf8')
    .split('\n')
    .filter((line) => line.trim() !== '' && !line.startsWith('#'))
