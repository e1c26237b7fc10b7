/** The XRPC methods as one server. */

import { createServer, MethodNotImplementedError, type Server } from '@atproto/xrpc-server'
import { documents } from '#platform/lexicon-documents.ts'
import { Limiter, xrpcLimiter } from '#platform/limiter.ts'
import { MINUTE_MS } from '#platform/time.ts'
import { toXrpcError } from '#platform/xrpc-errors.ts'
import type { Services } from '../services.ts'
import { type AnyEndpoint, ASKING, methodWith, network } from './endpoint.ts'
import * as served from './endpoints.ts'

/** Every XRPC method served here, by NSID. */
export const endpoints: Readonly<Record<string, AnyEndpoint>> = served

/** A network's points for evaluations: a preview costs 1, a backtest 10. askers.ts charges time. */
const ASKING_POINTS_PER_MINUTE = 60

/** The XRPC router. Requests and responses are validated against the official and our lexicons. */
export function createXrpc(services: Services): Server {
  const server = createServer([...documents], {
    errorParser: toXrpcError,
    catchall: (_request, _response, next) => next(new MethodNotImplementedError()),
    rateLimits: {
      creator: (options) => xrpcLimiter(new Limiter(options), options),
      shared: [{ name: ASKING, durationMs: MINUTE_MS, points: ASKING_POINTS_PER_MINUTE, calcKey: network }],
    },
  })
  for (const [nsid, endpoint] of Object.entries(endpoints))
    server.method(nsid, methodWith(nsid, endpoint, services))
  return server
}
