/** The XRPC methods, one file each. */
import {
  createServer,
  type HandlerContext,
  type MethodConfig,
  MethodNotImplementedError,
  type Server,
} from '@atproto/xrpc-server'
import { callerOf } from '#platform/callers.ts'
import { Limiter, xrpcLimiter } from '#platform/limiter.ts'
import { methodNsid } from '../algorithm/definition.ts'
import { documents } from '../algorithm/lexicons.ts'
import type { Services } from '../services.ts'
import describeFeedGenerator from './app.bsky.feed/describeFeedGenerator.ts'
import getFeedSkeleton from './app.bsky.feed/getFeedSkeleton.ts'
import sendInteractions from './app.bsky.feed/sendInteractions.ts'
import { askingPointsPerMinute, backtestPoints } from './asking.ts'
import backtest from './social.atoll.feed/backtest.ts'
import explain from './social.atoll.feed/explain.ts'
import getAlgorithm from './social.atoll.feed/getAlgorithm.ts'
import listAlgorithms from './social.atoll.feed/listAlgorithms.ts'
import preview from './social.atoll.feed/preview.ts'

/** Asked by a network, all methods that make lists together. */
const ASKING = 'asking'

const methods: Record<string, (services: Services) => MethodConfig> = {
  'app.bsky.feed.describeFeedGenerator': describeFeedGenerator,
  'app.bsky.feed.getFeedSkeleton': getFeedSkeleton,
  'app.bsky.feed.sendInteractions': sendInteractions,
  [methodNsid('preview')]: limited(preview),
  [methodNsid('explain')]: limited(explain),
  [methodNsid('backtest')]: limited(backtest, backtestPoints),
  [methodNsid('getAlgorithm')]: getAlgorithm,
  [methodNsid('listAlgorithms')]: listAlgorithms,
}

/** The methods, to be mounted on an HTTP server. Requests and answers are checked against the lexicons, the official ones and ours. */
export function createXrpc(services: Services): Server {
  const server = createServer([...documents], {
    catchall: (_request, _response, next) => next(new MethodNotImplementedError()),
    rateLimits: {
      creator: (options) => xrpcLimiter(new Limiter(options), options),
      shared: [{ name: ASKING, durationMs: 60_000, points: askingPointsPerMinute, calcKey: network }],
    },
  })
  for (const [nsid, method] of Object.entries(methods)) server.method(nsid, method(services))
  return server
}

const network = ({ req }: HandlerContext): string => callerOf(req).network

function limited<S>(method: (services: S) => MethodConfig, points = 1): (services: S) => MethodConfig {
  return (services) => ({
    ...method(services),
    rateLimit: { name: ASKING, calcKey: network, calcPoints: () => points },
  })
}
