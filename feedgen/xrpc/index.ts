/** The XRPC methods, one file each. */
import { schemas } from '@atproto/api'
import { createServer, type MethodConfig, MethodNotImplementedError, type Server } from '@atproto/xrpc-server'
import type { Services } from '../services.ts'
import describeFeedGenerator from './app.bsky.feed.describeFeedGenerator.ts'
import getFeedSkeleton from './app.bsky.feed.getFeedSkeleton.ts'

const methods: Record<string, (services: Services) => MethodConfig> = {
  'app.bsky.feed.describeFeedGenerator': describeFeedGenerator,
  'app.bsky.feed.getFeedSkeleton': getFeedSkeleton,
}

/** The methods, to be mounted on an HTTP server. Requests and answers are checked against the official lexicons. */
export function createXrpc(services: Services): Server {
  const server = createServer(schemas, {
    catchall: (_request, _response, next) => next(new MethodNotImplementedError()),
  })
  for (const [nsid, method] of Object.entries(methods)) server.method(nsid, method(services))
  return server
}
