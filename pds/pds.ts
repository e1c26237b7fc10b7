/** The PDS's composition root: the only file that constructs services, and what owns them while they run. */
import { mkdirSync } from 'node:fs'
import { createServer as createHttpServer, type Server as HttpServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { schemas } from '@atproto/api'
import { DidResolver, HandleResolver, MemoryCache } from '@atproto/identity'
import { createServer as createXrpcServer, MethodNotImplementedError } from '@atproto/xrpc-server'
import cors from 'cors'
import express, { type ErrorRequestHandler } from 'express'
import { guardedFetch } from '#platform/fetch.ts'
import { logger } from '#platform/log.ts'
import { importKey } from '#protocol/keys.ts'
import { Accounts } from './accounts/accounts.ts'
import { Sessions } from './accounts/sessions.ts'
import { ServiceTokens } from './auth/service-tokens.ts'
import { AuthVerifier } from './auth/verifier.ts'
import { Blobs } from './blobs/blobs.ts'
import { DiskBlobs } from './blobs/disk.ts'
import { type Config, DATABASE_FILE, refuseForeignData } from './config.ts'
import { Firehose } from './firehose/firehose.ts'
import { SUBSCRIBE_PATH, Subscribers } from './firehose/subscribe.ts'
import { DidDocuments } from './identity/did-documents.ts'
import { Handles } from './identity/handles.ts'
import { Plc } from './identity/plc.ts'
import { Exports } from './repo/export.ts'
import { NodeCache } from './repo/node-cache.ts'
import { RepoReader } from './repo/read.ts'
import { loadKeySecret, SigningKeys } from './repo/signing-keys.ts'
import { RepoWriter } from './repo/write.ts'
import { HEALTH_PATH, routes } from './routes.ts'
import type { Services } from './services.ts'
import { RepoPages } from './store/repos.ts'
import { Store } from './store/store.ts'
import { register } from './xrpc/endpoint.ts'
import { toXrpcError } from './xrpc/errors.ts'
import { endpoints } from './xrpc/index.ts'

/** A running PDS. Disposing of it ends connections, finishes writes, and closes the database. */
export interface Pds extends AsyncDisposable {
  readonly services: Services
  /** The port it listens on. */
  readonly port: number
}

const KEY_SECRET_FILE = 'signing-keys.secret'
const JSON_BYTES_MAX = 150 * 1024
const TEXT_BYTES_MAX = 100 * 1024
const CORS_SECONDS = 86_400
/** Longer than what proxies in front keep a connection for, so that they and not we close it. */
const KEEP_ALIVE_MS = 90_000
const STOP_SECONDS_MAX = 5

/** Starts a PDS. @throws ForeignDataError, SchemaTooNewError */
export async function createPds(config: Config): Promise<Pds> {
  const log = logger('pds')
  refuseForeignData(config.dataDirectory)
  mkdirSync(config.dataDirectory, { recursive: true })
  const store = new Store({ path: path.join(config.dataDirectory, DATABASE_FILE), onFatal: endProcess })
  const disk = new DiskBlobs(config.blobs.folder, config.blobs.temporary)
  await disk.open()
  // Exports that were under way when the process ended kept blocks aside for nobody. And what that process wrote and did not sync is
  // on the disk once this is, before anybody is told of it.
  await store.db.write((tx) => store.repos.dropAllRetired(tx))
  const services = createServices(config, store, disk)
  const http = await listen(createApp(services, store), config)
  http.on('upgrade', (request, socket, head) => {
    if (request.url?.split('?', 1)[0] === SUBSCRIBE_PATH) services.subscribers.upgrade(request, socket, head)
    else socket.end('HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n')
  })
  log.info({ port: config.port, did: config.serviceDid }, 'started')
  return {
    services,
    port: (http.address() as AddressInfo).port,
    [Symbol.asyncDispose]: async () => {
      const closed = new Promise((resolve) => http.close(resolve))
      await services.subscribers[Symbol.asyncDispose]()
      http.closeIdleConnections()
      const patience = setTimeout(() => http.closeAllConnections(), STOP_SECONDS_MAX * 1000)
      await closed
      clearTimeout(patience)
      store[Symbol.dispose]()
      log.info('stopped')
    },
  }
}

function createServices(config: Config, store: Store, disk: DiskBlobs): Services {
  const { identity, secrets } = config
  const fetch = guardedFetch({
    allowPrivate: identity.allowPrivateAddresses,
    responseBytesMax: identity.fetchBytesMax,
  })
  // The directory is named by the operator, not by strangers: it may be a neighbour, but not a slow or endless one.
  const plcFetch = guardedFetch({ allowPrivate: true })
  const resolver = { timeout: identity.resolverTimeoutMs, fetch }
  const didDocuments = new DidDocuments(
    new DidResolver({
      ...resolver,
      plcUrl: identity.plcUrl,
      didCache: new MemoryCache(identity.cacheStaleMs, identity.cacheMaxMs),
    }),
  )
  const handles = new Handles({
    serviceDomains: identity.serviceHandleDomains,
    resolver: new HandleResolver({ ...resolver, backupNameservers: [...identity.backupNameservers] }),
  })
  const plc = new Plc({
    url: identity.plcUrl,
    fetch: plcFetch,
    rotationKey: importKey(secrets.plcRotationKey, 'ES256K'),
  })

  const firehose = new Firehose(store.events)
  const keys = new SigningKeys(
    store.accounts,
    loadKeySecret(path.join(config.dataDirectory, KEY_SECRET_FILE)),
  )
  const nodes = new NodeCache(store.repos)
  const exports = new Exports(store, new RepoPages(store.db))
  const writer = new RepoWriter(store, firehose, keys, nodes, exports)
  const sessions = new Sessions(store, { jwtSecret: secrets.jwt, serviceDid: config.serviceDid })
  return {
    config,
    auth: new AuthVerifier(sessions, store.accounts, { adminPassword: secrets.adminPassword }),
    accounts: new Accounts(
      { store, handles, plc, keys, writer, firehose, sessions },
      {
        publicUrl: config.publicUrl,
        inviteRequired: config.inviteRequired,
        recoveryDidKey: identity.recoveryDidKey,
      },
    ),
    sessions,
    serviceTokens: new ServiceTokens((account) => keys.of(account)),
    handles,
    didDocuments,
    reader: new RepoReader(store, nodes),
    writer,
    exports,
    blobs: new Blobs(store, disk, { bytesMax: config.blobs.bytesMax }),
    subscribers: new Subscribers({ firehose, log: logger('firehose'), backfillMsMax: config.backfillMsMax }),
  }
}

function createApp(services: Services, store: Store): RequestListener {
  const log = logger('xrpc')
  const { config } = services
  const xrpc = createXrpcServer(schemas, {
    // Answers are made by our own types and handed over as bytes.
    validateResponse: false,
    payload: { jsonLimit: JSON_BYTES_MAX, textLimit: TEXT_BYTES_MAX, blobLimit: config.blobs.bytesMax },
    catchall: (_request, _response, next) => next(new MethodNotImplementedError()),
    errorParser: (error) => {
      const answer = toXrpcError(error)
      if (answer.type >= 500) log.error({ err: error }, 'a request failed')
      return answer
    },
  })
  for (const [nsid, make] of Object.entries(endpoints))
    register(xrpc, nsid, make(services), () => store.db.durable())

  const pages = express()
  pages.use(routes({ ...services, isHealthy: () => store.isReadable(), durable: () => store.db.durable() }))
  const onError: ErrorRequestHandler = (error, _request, response, next) => {
    log.error({ err: error }, 'a request failed')
    if (response.headersSent) return next(error)
    response.status(500).type('text/plain').send('Internal Server Error')
  }
  pages.use(onError)
  for (const app of [pages, xrpc.router]) {
    app.disable('x-powered-by')
    app.set('trust proxy', ['loopback', 'linklocal', 'uniquelocal'])
  }
  // Two applications side by side: one inside the other would prepare every request twice.
  const allowEveryOrigin = cors({ maxAge: CORS_SECONDS })
  return (request, response) => {
    const isXrpc = request.url?.startsWith('/xrpc/') === true && !request.url.startsWith(HEALTH_PATH)
    const app = isXrpc ? xrpc.router : pages
    allowEveryOrigin(request, response, () => app(request, response))
  }
}

async function listen(app: RequestListener, { port, host }: Config): Promise<HttpServer> {
  const http = createHttpServer(app)
  http.keepAliveTimeout = KEEP_ALIVE_MS
  await new Promise<void>((resolve, reject) => {
    http.once('error', reject)
    http.listen(port, host, resolve)
  })
  return http
}

/** After a failed fsync nobody knows what is on the disk: only a new process that reads it again does. */
function endProcess(error: unknown): never {
  logger('pds').fatal({ err: error }, 'the disk failed to sync; ending')
  console.error('the disk failed to sync; ending', error)
  process.exit(1)
}
