/**
 * The HTTP application: what every request comes through, and who handles it. Listening is
 * platform/http.ts.
 */
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import {
  createServer as createXrpcServer,
  extractUrlNsid,
  type ResponseType,
  XRPCError,
} from '@atproto/xrpc-server'
import compression from 'compression'
import cors from 'cors'
import express, { type RequestHandler } from 'express'
import { type Caller, type Trust, trustOf } from '#platform/callers.ts'
import { errorHandler, logFailuresOf, refuseDeepJson } from '#platform/express.ts'
import { Gate, sandbox } from '#platform/gate.ts'
import { refuseUpgrade, type UpgradeListener } from '#platform/http.ts'
import { logger } from '#platform/log.ts'
import { unmapped } from '#platform/network-of.ts'
import { neighbours } from '#platform/trusted-proxies.ts'
import type { Config } from './config.ts'
import { SUBSCRIBE_NSID, SUBSCRIBE_PATH } from './firehose/subscribe.ts'
import { hasRoom } from './limits/disk-space.ts'
import { KnownPeers } from './limits/known-peers.ts'
import { requestBudgets } from './limits/requests.ts'
import { cutUserAgent, oauthRoutes } from './oauth/routes.ts'
import { pageRoutes } from './pages/index.ts'
import { HEALTH_PATH, routes } from './routes.ts'
import type { Services } from './services.ts'
import type { Store } from './store/store.ts'
import { CAR_TYPE, register } from './xrpc/endpoint.ts'
import { toXrpcError } from './xrpc/errors.ts'
import { appViewEndpoints, endpoints } from './xrpc/index.ts'
import { serverLimits, slotsFor } from './xrpc/rate-limits.ts'
import { WRITE_JSON_DEPTH_MAX } from './xrpc/writing.ts'

const JSON_BYTES_MAX = 150 * 1024
const TEXT_BYTES_MAX = 100 * 1024
const CORS_SECONDS = 86_400
const UPGRADE_REQUIRED = 426 as ResponseType

/** What every request comes through. */
export interface Entrance {
  readonly gate: Gate
  /** Whose word on the caller of a request is believed. */
  readonly trust: Trust
  /** Relays and the AppView: they ask on everybody's behalf. */
  readonly peers: KnownPeers
  readonly isExempt: (caller: Caller) => boolean
}

/** Configures the entrance: trusted proxies and request budgets. */
export function openEntrance({ rateLimits, crawlers, services: { appView } }: Config): Entrance {
  const trust = trustOf([...neighbours, ...(rateLimits?.bypassIps ?? [])])
  const peers = new KnownPeers(
    [...crawlers, ...(appView === undefined ? [] : [appView.url])],
    logger('peers'),
  )
  const bypassIps = new Set(rateLimits?.bypassIps.map(unmapped))
  // A private address that is asked for by name is still a shared proxy.
  const isExempt = ({ address, network }: Caller): boolean =>
    bypassIps.has(address) || (peers.has(network) && !trust(address, 0))
  const gate = new Gate(
    rateLimits === undefined ? { trust } : { trust, ...requestBudgets(rateLimits, isExempt) },
  )
  return { gate, trust, peers, isExempt }
}

/** The application: XRPC, and the pages and routes beside it. */
export function createApp(
  services: Services,
  store: Store,
  { gate, trust, isExempt }: Entrance,
): RequestListener {
  const log = logger('xrpc')
  const { config } = services
  const xrpc = createXrpcServer([], {
    // Answers are made by our own types and handed over as bytes.
    validateResponse: false,
    payload: { jsonLimit: JSON_BYTES_MAX, textLimit: TEXT_BYTES_MAX, blobLimit: config.blobs.bytesMax },
    // A method that is not served here is one of another service.
    catchall: (request, response, next) => {
      const nsid = extractUrlNsid(request.url) ?? ''
      if (nsid === SUBSCRIBE_NSID && (request.method === 'GET' || request.method === 'HEAD')) {
        response.setHeader('Upgrade', 'websocket')
        return next(new XRPCError(UPGRADE_REQUIRED, 'The firehose is a WebSocket', 'UpgradeRequired'))
      }
      services.proxy.forward({ nsid, request }, response).catch(next)
    },
    rateLimits: serverLimits(services),
    errorParser: toXrpcError,
  })
  const surroundings = {
    durable: () => store.db.durable(),
    limits: config.rateLimits?.points,
    slots: slotsFor(config.atOnce, isExempt),
  }
  for (const [nsid, endpoint] of Object.entries(endpoints))
    register(xrpc, nsid, endpoint, { ...surroundings, services })
  const { appView, views } = services
  if (appView !== undefined && views !== undefined) {
    const withAppView = { ...surroundings, services: { ...services, appView, views } }
    for (const [nsid, endpoint] of Object.entries(appViewEndpoints))
      register(xrpc, nsid, endpoint, withAppView)
  }

  const pages = express()
  const allowEveryOrigin = cors({ maxAge: CORS_SECONDS })
  // Mounted before CORS: the pages are same-origin, and the OAuth routes set their own headers.
  pages.use(answerHead, cutUserAgent, pageRoutes(services))
  pages.use(oauthRoutes(services.oauthProvider, { log: logger('oauth') }))
  pages.use(allowEveryOrigin)
  pages.use(
    routes({
      ...services,
      isHealthy: async () => store.isReadable() && (await hasRoom(config.dataDirectory)),
      durable: () => store.db.durable(),
    }),
  )
  pages.use(errorHandler(logger('pages')))
  logFailuresOf(xrpc.router, log)
  refuseDeepJson(xrpc.router, WRITE_JSON_DEPTH_MAX)
  for (const app of [pages, xrpc.router]) {
    app.disable('x-powered-by')
    app.set('trust proxy', trust)
  }
  const compress = compression({ filter: isCompressible })
  // Two applications side by side: one inside the other would prepare every request twice.
  return (request, response) => {
    if (!gate.admits(request, response)) return
    const isBelowXrpc = request.url?.startsWith('/xrpc/') === true
    if (isBelowXrpc) sandbox(response)
    const isXrpc = isBelowXrpc && request.url?.startsWith(HEALTH_PATH) === false
    const answer = () =>
      isXrpc
        ? allowEveryOrigin(request, response, () => xrpc.router(request, response))
        : pages(request, response)
    compress(request, response, answer)
  }
}

/**
 * The library's pages know GET alone. Node leaves the body of an answer to HEAD out, whatever is
 * written.
 */
const answerHead: RequestHandler = (request, _response, next) => {
  if (request.method === 'HEAD' && HEAD_PATHS.test(request.path)) request.method = 'GET'
  next()
}
/** What a GET only shows; signing in begins with one that does more. */
const HEAD_PATHS = /^\/(account|\.well-known|oauth\/jwks)(\/|$)/

/**
 * Texts, and repositories, which the library does not know. A part of something is counted in its
 * own bytes.
 */
function isCompressible(request: IncomingMessage, response: ServerResponse): boolean {
  if (response.hasHeader('content-range')) return false
  return response.getHeader('content-type') === CAR_TYPE || compression.filter(request, response)
}

/** What may be upgraded: the firehose. */
export const upgrades =
  ({ subscribers }: Pick<Services, 'subscribers'>, gate: Gate): UpgradeListener =>
  (request, socket, head) => {
    if (!gate.admitsUpgrade(request, socket)) return
    if (request.url?.split('?', 1)[0] === SUBSCRIBE_PATH) subscribers.upgrade(request, socket, head)
    else refuseUpgrade(socket, 404)
  }
