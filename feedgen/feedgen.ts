/** The feed generator, put together: the only file here that constructs services. */
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import express from 'express'
import { guardedFetch } from '#platform/fetch.ts'
import packageJson from '../package.json' with { type: 'json' }
import { Catalogue } from './algorithms/catalogue.ts'
import type { FeedgenConfig } from './config.ts'
import { Counts } from './firehose/counts.ts'
import { Follower } from './firehose/follower.ts'
import { AuthorKeys, UnknownAuthorError } from './firehose/keys.ts'
import { openIndex } from './index/database.ts'
import { createPages } from './pages/index.ts'
import type { Services } from './services.ts'
import { createXrpc } from './xrpc/index.ts'
import { TokenVerifier } from './xrpc/viewers.ts'

/** A running feed generator. Disposing of it stops it cleanly. */
export interface Feedgen extends AsyncDisposable {
  /** Where it answers on this machine. */
  url: string
  /** What went by on the firehose since it was started. */
  counts: Counts
}

/** How long requests that are being answered may take once the service stops. */
const stopMsMax = 5000

/** Opens the index, begins to follow the endpoints and answers requests. */
export async function createFeedgen(config: FeedgenConfig): Promise<Feedgen> {
  await using stack = new AsyncDisposableStack()
  const index = stack.use(await openIndex(config.sqliteLocation))
  const keys = new AuthorKeys({
    plcUrl: config.plcUrl,
    fetch: guardedFetch({ allowPrivate: config.devMode }),
  })
  const services: Services = {
    site: { origin: config.origin, serviceDid: config.serviceDid, version: packageJson.version },
    feeds: new Catalogue(index.reader, config.publisherDid),
    viewers: new TokenVerifier({
      serviceDid: config.serviceDid,
      keys,
      isUnknownAuthor: (error) => error instanceof UnknownAuthorError,
    }),
  }
  const app = express().disable('x-powered-by').use(createPages(services)).use(createXrpc(services).router)
  const server = await listen(createServer(app), config)
  stack.defer(() => stop(server))

  const counts = new Counts()
  const { start, reconnectDelayMs, serviceDid } = config
  for (const endpoint of config.endpoints) {
    stack.use(
      new Follower({ endpoint, start, reconnectDelayMs, serviceDid, index: index.writer, keys, counts }),
    )
  }
  const { address, family, port } = server.address() as AddressInfo
  const running = stack.move()
  return {
    url: `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`,
    counts,
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  }
}

async function listen(server: Server, { port, listenHost }: FeedgenConfig): Promise<Server> {
  server.listen(port, listenHost)
  await once(server, 'listening')
  return server
}

/** Ends the server once what is being answered is answered, or after a while. */
async function stop(server: Server): Promise<void> {
  const closed = once(server, 'close')
  server.close()
  const timer = setTimeout(() => server.closeAllConnections(), stopMsMax)
  await closed
  clearTimeout(timer)
}
