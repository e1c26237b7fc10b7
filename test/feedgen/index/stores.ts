/** Indexes for tests, on either store. */
import path from 'node:path'
import { afterAll, beforeAll, onTestFinished } from 'vitest'
import { type Index, type IndexOptions, openIndex } from '../../../feedgen/index/database.ts'
import { startPostgres, type TestPostgres } from '../../support/postgres.ts'
import { temporaryFolder } from '../../support/processes.ts'

export const stores = ['SQLite', 'PostgreSQL'] as const
export type StoreName = (typeof stores)[number]

let postgres: TestPostgres

/** Has PostgreSQL there while the file's tests run. */
export function usePostgres(): void {
  beforeAll(async () => {
    postgres = await startPostgres()
  })
  afterAll(() => postgres[Symbol.asyncDispose]())
}

/** Where a new index may be opened. */
export async function newLocation(store: StoreName): Promise<string> {
  if (store === 'PostgreSQL') return postgres.database()
  const folder = temporaryFolder()
  onTestFinished(() => folder[Symbol.dispose]())
  return path.join(folder.path, 'index.sqlite')
}

/** An index that this process writes, until the test ends. */
export async function writtenIndex(location: string, options?: IndexOptions): Promise<Index> {
  const index = await openIndex(location, options)
  const { promise: ready, resolve } = Promise.withResolvers<void>()
  const writing = index.whileWriting(() => {
    resolve()
    return { [Symbol.asyncDispose]: async () => {} }
  })
  await ready
  onTestFinished(async () => {
    await writing[Symbol.asyncDispose]()
    await index[Symbol.asyncDispose]()
  })
  return index
}
