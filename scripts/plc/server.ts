/**
 * The PLC directory as a server for this machine alone: `@did-plc/server`'s HTTP over our database.
 * Anyone may register any DID with it and it knows no limits, so it never listens to other
 * machines.
 */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type PlcDatabase, PlcServer } from '@did-plc/server'

/** How long requests under way may take when the directory stops. */
const drainSecondsMax = 2

export interface PlcDirectory extends AsyncDisposable {
  /** Without a slash at the end. */
  readonly url: string
}

/**
 * Starts the directory; port 0 asks the system for a free one. Disposing of it closes the database
 * too.
 */
export async function servePlc(database: PlcDatabase, port: number): Promise<PlcDirectory> {
  // PlcServer.start() would listen on every address of the machine.
  const { app } = PlcServer.create({ db: database })
  const server = createServer(app).listen(port, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://localhost:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: async () => {
      const closed = once(server, 'close')
      server.close()
      const timer = setTimeout(() => server.closeAllConnections(), drainSecondsMax * 1000)
      await closed
      clearTimeout(timer)
      await database.close()
    },
  }
}
