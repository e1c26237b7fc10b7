/** The PDS's composition root: the only file that constructs services, and what owns them while they run. */
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import path from 'node:path'
import { DidResolver, HandleResolver } from '@atproto/identity'
import type { OAuthHooks } from '@atproto/oauth-provider/hooks'
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
import { type Fetch, guardedFetch } from '#platform/fetch.ts'
import { Gate, sandbox } from '#platform/gate.ts'
import { ListeningHttp, refuseUpgrade, type UpgradeListener } from '#platform/http.ts'
import { logger } from '#platform/log.ts'
import { unmapped } from '#platform/network-of.ts'
import { makePrivateFolder } from '#platform/private-files.ts'
import { neighbours } from '#platform/trusted-proxies.ts'
import { importKey, isK256Native } from '#protocol/keys.ts'
import { Checkups } from './accounts/account-status-report.ts'
import { Accounts } from './accounts/accounts.ts'
import { AppPasswords } from './accounts/credentials/app-passwords.ts'
import { EmailTokens } from './accounts/credentials/email-tokens.ts'
import { Passkeys } from './accounts/credentials/passkeys.ts'
import { PasswordChanges } from './accounts/credentials/password-changes.ts'
import { PasswordProofs } from './accounts/credentials/password-proofs.ts'
import { SecondFactors } from './accounts/credentials/second-factors.ts'
import { Deletions } from './accounts/deletions.ts'
import { DueAccounts } from './accounts/due-accounts.ts'
import { Emails } from './accounts/emails.ts'
import { Identities } from './accounts/identities.ts'
import { Invites } from './accounts/invites.ts'
import { Moves } from './accounts/moves.ts'
import { Preferences } from './accounts/preferences.ts'
import { Sessions } from './accounts/sessions.ts'
import { Standing } from './accounts/statuses.ts'
import { AccountInfos } from './admin/account-infos.ts'
import { Takedowns } from './admin/takedowns.ts'
import { type IsProtected, protectedMethods } from './auth/methods.ts'
import { ServiceTokens } from './auth/service-tokens.ts'
import { AuthVerifier } from './auth/verifier.ts'
import { Blobs } from './blobs/blobs.ts'
import { DiskBlobs } from './blobs/disk.ts'
import type { BlobFiles } from './blobs/files.ts'
import { Uploads } from './blobs/uploads.ts'
import { type Config, DATABASE_FILE, refuseForeignData, type SmtpConfig } from './config.ts'
import { Crawlers } from './firehose/crawlers.ts'
import { Firehose } from './firehose/firehose.ts'
import { SUBSCRIBE_NSID, SUBSCRIBE_PATH, Subscribers } from './firehose/subscribe.ts'
import { DocumentCache } from './identity/did-cache.ts'
import { DidDocuments } from './identity/did-documents.ts'
import { Handles } from './identity/handles.ts'
import { Plc } from './identity/plc.ts'
import { DiskSpace, hasRoom } from './limits/disk-space.ts'
import { KnownPeers } from './limits/known-peers.ts'
import { requestBudgets } from './limits/requests.ts'
import { type FindAccount, SignIns } from './limits/sign-ins.ts'
import { Mailer } from './mail/mailer.ts'
import { LogOutbox, type Outbox, SmtpOutbox } from './mail/transport.ts'
import { ProviderAppTokens } from './oauth/app-tokens.ts'
import { Descriptions } from './oauth/descriptions.ts'
import { Browsers } from './oauth/device-sessions.ts'
import { createLexiconResolver } from './oauth/lexicon-resolver.ts'
import { limitingHooks } from './oauth/limits.ts'
import { createProvider, type PageLink } from './oauth/provider.ts'
import { OAuthPruning } from './oauth/pruning.ts'
import { ProviderRequests } from './oauth/request-store.ts'
import { cutUserAgent, oauthRoutes } from './oauth/routes.ts'
import { Visits } from './oauth/visits.ts'
import { pageRoutes } from './pages/index.ts'
import { SECURITY_PATH } from './pages/paths.ts'
import { AppView } from './proxy/app-view.ts'
import { Destinations } from './proxy/destinations.ts'
import { imageUrl } from './proxy/local-view.ts'
import { ServiceProxy } from './proxy/proxy.ts'
import { Upstream } from './proxy/upstream.ts'
import { Views } from './proxy/views.ts'
import { Exports } from './repo/export.ts'
import { Imports } from './repo/import.ts'
import { KEY_SECRET_FILE, openKeySecret } from './repo/keys/key-secret.ts'
import { ReservedKeys } from './repo/keys/reserved-keys.ts'
import { SigningKeys } from './repo/keys/signing-keys.ts'
import { NodeCache } from './repo/node-cache.ts'
import { RepoReader } from './repo/read.ts'
import { RepoWriter } from './repo/write.ts'
import { HEALTH_PATH, routes } from './routes.ts'
import type { Services } from './services.ts'
import { RepoPages } from './store/repo-pages.ts'
import { Store } from './store/store.ts'
import { CAR_TYPE, register } from './xrpc/endpoint.ts'
import { toXrpcError } from './xrpc/errors.ts'
import { appViewEndpoints, endpoints, PROTECTED_METHODS } from './xrpc/index.ts'
import { serverLimits, slotsFor } from './xrpc/rate-limits.ts'
import { WRITE_JSON_DEPTH_MAX } from './xrpc/writing.ts'

/** A running PDS. Disposing of it ends connections, finishes writes, and closes the database. */
export interface Pds extends AsyncDisposable {
  readonly services: Services
  /** The port it listens on. */
  readonly port: number
}

/** Inside the data folder: archives while they are imported. */
const IMPORTS_FOLDER = 'imports'
const JSON_BYTES_MAX = 150 * 1024
const TEXT_BYTES_MAX = 100 * 1024
const CORS_SECONDS = 86_400
const UPGRADE_REQUIRED = 426 as ResponseType

/** What a PDS may be given in place of its own. */
export interface Substitutes {
  /** Gets what OAuth clients publish of themselves, in place of the guarded fetch. */
  readonly clientFetch?: Fetch
}

/** Starts a PDS. @throws ForeignDataError, SchemaTooNewError, KeySecretError */
export async function createPds(config: Config, substitutes: Substitutes = {}): Promise<Pds> {
  const log = logger('pds')
  refuseForeignData(config.dataDirectory)
  makePrivateFolder(config.dataDirectory)
  if (!isK256Native)
    log.warn(
      { todo: 'reinstall the packages on a machine with a compiler' },
      'secp256k1 has no native binary here: signatures are made in JavaScript, slower',
    )
  const store = new Store({
    path: path.join(config.dataDirectory, DATABASE_FILE),
    disableAutoCheckpoint: config.disableWalAutoCheckpoint,
    onFatal: endProcess,
  })
  const disk = new DiskSpace({ freeBytesMin: config.diskFreeBytesMin, log: logger('disk') })
  const files = await openBlobFiles(config, disk)
  const uploads = new Uploads(config.blobs.temporary, disk)
  await uploads.open()
  // Exports that were under way when the process ended kept blocks aside for nobody. And what that process wrote and did not sync is
  // on the disk once this is, before anybody is told of it.
  await store.db.write((tx) => store.repos.dropAllRetired(tx))
  const keySecret = await openKeySecret(store, path.join(config.dataDirectory, KEY_SECRET_FILE))
  const entrance = openEntrance(config)
  const services = await createServices(
    config,
    { store, disk, files, uploads, keySecret, entrance },
    substitutes,
  )
  services.deletions.start()
  void services.dueAccounts.sweep()
  await services.imports.open()
  services.blobs.start()
  services.oauthPruning.start()
  const { port, host } = config
  const http = await ListeningHttp.start(createApp(services, store, entrance), {
    port,
    host,
    upgrade: upgrades(services, entrance.gate),
  })
  log.info({ port: config.port, did: config.serviceDid }, 'started')
  return {
    services,
    port: http.address.port,
    [Symbol.asyncDispose]: async () => {
      const closed = http[Symbol.asyncDispose]()
      await services.subscribers[Symbol.asyncDispose]()
      await closed
      entrance.peers[Symbol.dispose]()
      await services.crawlers[Symbol.asyncDispose]()
      await services.upstream[Symbol.asyncDispose]()
      await services.dueAccounts[Symbol.asyncDispose]()
      await services.deletions[Symbol.asyncDispose]()
      await services.oauthPruning[Symbol.asyncDispose]()
      services.mailer[Symbol.dispose]()
      await services.imports[Symbol.asyncDispose]()
      await services.blobs[Symbol.asyncDispose]()
      store[Symbol.dispose]()
      log.info('stopped')
    },
  }
}

async function openBlobFiles({ blobs: { store } }: Config, disk: DiskSpace): Promise<BlobFiles> {
  // Amazon's library is large: who has a disk need not load it.
  const files =
    store.kind === 'disk'
      ? new DiskBlobs(store.folder, disk)
      : new (await import('./blobs/s3.ts')).S3Blobs(store)
  await files.open()
  return files
}

interface Opened {
  readonly store: Store
  readonly disk: DiskSpace
  readonly files: BlobFiles
  readonly uploads: Uploads
  readonly keySecret: Buffer
  readonly entrance: Entrance
}

/** What every request comes through. */
interface Entrance {
  readonly gate: Gate
  /** Whose word on the caller of a request is believed. */
  readonly trust: Trust
  /** Relays and the AppView: they ask on everybody's behalf. */
  readonly peers: KnownPeers
  readonly isExempt: (caller: Caller) => boolean
}

function openEntrance({ rateLimits, crawlers, services: { appView } }: Config): Entrance {
  const trust = trustOf([...neighbours, ...(rateLimits?.bypassIps ?? [])])
  const peers = new KnownPeers(
    [...crawlers, ...(appView === undefined ? [] : [appView.url])],
    logger('peers'),
  )
  const bypassIps = new Set(rateLimits?.bypassIps.map(unmapped))
  // A neighbour that is asked for by name is still everybody's proxy.
  const isExempt = ({ address, network }: Caller): boolean =>
    bypassIps.has(address) || (peers.has(network) && !trust(address, 0))
  const gate = new Gate(
    rateLimits === undefined ? { trust } : { trust, ...requestBudgets(rateLimits, isExempt) },
  )
  return { gate, trust, peers, isExempt }
}

async function createServices(
  config: Config,
  { store, disk, files, uploads, keySecret, entrance }: Opened,
  substitutes: Substitutes,
): Promise<Services> {
  const { identity, secrets } = config
  // The directory is named by the operator, not by strangers: it may be a neighbour, but not a slow or endless one.
  const trusted = [identity.plcUrl]
  const fetch = guardedFetch({
    allowPrivate: identity.allowPrivateAddresses,
    trusted,
    responseBytesMax: identity.fetchBytesMax,
  })
  const plcFetch = guardedFetch({ allowPrivate: true })
  const resolver = { timeout: identity.resolverTimeoutMs, fetch }
  const plc = new Plc({
    url: identity.plcUrl,
    fetch: plcFetch,
    rotationKey: importKey(secrets.plcRotationKey, 'ES256K'),
  })
  const didDocuments = new DidDocuments(
    new DidResolver({
      ...resolver,
      plcUrl: identity.plcUrl,
      didCache: new DocumentCache({ staleMs: identity.cacheStaleMs, maxMs: identity.cacheMaxMs }),
    }),
    plc,
  )
  const handles = new Handles({
    serviceDomains: identity.serviceHandleDomains,
    resolver: new HandleResolver({ ...resolver, backupNameservers: [...identity.backupNameservers] }),
  })
  const firehose = new Firehose(store.events)
  const keys = new SigningKeys(store.accounts, keySecret)
  const reservedKeys = new ReservedKeys(store, keys)
  const nodes = new NodeCache(store.repos)
  const exports = new Exports(store, new RepoPages(store.db))
  const writer = new RepoWriter(store, firehose, keys, nodes, exports)
  const imports = new Imports(
    { store, firehose, keys, exports, disk, log: logger('imports') },
    { folder: path.join(config.dataDirectory, IMPORTS_FOLDER) },
  )
  const sessions = new Sessions(store, { jwtSecret: secrets.jwt, serviceDid: config.serviceDid })
  const invites = new Invites(store, { ...config.invites, hostname: config.hostname })
  const mailer = createMailer(config)
  const emailTokens = new EmailTokens(store.emailTokens, keySecret)
  const emails = new Emails(store, emailTokens, mailer)
  const identities = new Identities(
    { store, firehose, plc, didDocuments, keys, emailTokens },
    { publicUrl: config.publicUrl, recoveryDidKey: identity.recoveryDidKey },
  )
  const blobs = new Blobs(
    { store, files, uploads, log: logger('blobs') },
    { bytesMax: config.blobs.bytesMax },
  )
  const deletions = new Deletions({
    store,
    firehose,
    exports,
    imports,
    keys,
    blobs,
    log: logger('deletions'),
  })
  const dueAccounts = new DueAccounts(
    {
      store,
      deletions,
      identities,
      mailer,
      blobs,
      writer,
      keys,
      imports,
      exports,
      log: logger('accounts'),
    },
    { ...config.accounts, contactEmail: config.links.contactEmail },
  )
  const moves = new Moves(store, logger('accounts'), config.accounts)
  const accounts = new Accounts(
    {
      store,
      handles,
      plc,
      didDocuments,
      keys,
      reservedKeys,
      deletions,
      emailTokens,
      writer,
      firehose,
      sessions,
      invites,
      moves,
      log: logger('accounts'),
    },
    { publicUrl: config.publicUrl, recoveryDidKey: identity.recoveryDidKey, ...config.accounts },
  )
  const isProtected = protectedMethods(PROTECTED_METHODS)
  const serviceTokens = new ServiceTokens((account) => keys.of(account), store.accounts, isProtected)
  const reader = new RepoReader(store, nodes)
  const standing = new Standing({ store, firehose, writer, exports, dueAccounts, identities })
  const passwordProofs = new PasswordProofs()
  const passwordChanges = new PasswordChanges(
    store,
    emailTokens,
    emails,
    passwordProofs,
    logger('accounts'),
    config.accounts,
  )
  const secondFactors = new SecondFactors(store, emails, { keySecret, issuer: config.branding.name })
  const findAccount: FindAccount = (name) =>
    (name.includes('@') ? store.accounts.byEmail(name) : store.accounts.find(name))?.id
  const points = config.rateLimits?.points
  const signIns = points && new SignIns(points, findAccount)
  const clientFetch = substitutes.clientFetch ?? fetch
  // Without limits, nothing is asked before.
  const hooks = points && signIns ? limitingHooks({ ...entrance, signIns, points }) : {}
  const visits = new Visits(store.accounts)
  const oauthProvider = await createOAuthProvider(
    config,
    { fetch, clientFetch, hooks },
    {
      store,
      keySecret,
      accounts,
      emails,
      secondFactors,
      passwordProofs,
      passwordChanges,
      standing,
      reader,
      visits,
    },
  )
  const appTokens = new ProviderAppTokens(oauthProvider, config)
  const parts = { sessions, accounts: store.accounts, didDocuments, appTokens, moves }
  const auth = new AuthVerifier(parts, {
    adminPassword: secrets.adminPassword,
    serviceDid: config.serviceDid,
    moderationDid: config.services.moderation?.did,
  })
  return {
    ...createProxy(config, { didDocuments, auth, accounts, reader, serviceTokens, isProtected }),
    config,
    auth,
    accounts,
    standing,
    identities,
    deletions,
    dueAccounts,
    moves,
    checkups: new Checkups(store, identities),
    takedowns: new Takedowns(store),
    reservedKeys,
    sessions,
    signIns,
    emailTokens,
    emails,
    appPasswords: new AppPasswords(store),
    secondFactors,
    passkeys: new Passkeys(secondFactors, { publicUrl: config.publicUrl, service: config.branding.name }),
    passwordProofs,
    passwordChanges,
    invites,
    mailer,
    accountInfos: new AccountInfos(store.accounts, invites),
    serviceTokens,
    oauthProvider,
    browsers: new Browsers(oauthProvider, new ProviderRequests(store), visits, hooks),
    oauthPruning: new OAuthPruning(store, logger('oauth')),
    preferences: new Preferences(store),
    handles,
    didDocuments,
    reader,
    writer,
    exports,
    imports,
    blobs,
    subscribers: new Subscribers({
      firehose,
      log: logger('firehose'),
      backfillMsMax: config.backfillMsMax,
      subscribersMax: config.atOnce.subscribers.max,
      networkSubscribersMax: config.atOnce.subscribers.networkMax,
      isExempt: entrance.isExempt,
    }),
    crawlers: new Crawlers(firehose, {
      urls: config.crawlers,
      hostname: config.hostname,
      fetch: guardedFetch({ allowPrivate: true }),
      log: logger('crawlers'),
    }),
  }
}

function createProxy(
  { hostname, proxy: limits, services, identity }: Config,
  parts: Pick<Services, 'didDocuments' | 'auth' | 'accounts' | 'reader' | 'serviceTokens'> & {
    isProtected: IsProtected
  },
): Pick<Services, 'upstream' | 'destinations' | 'proxy' | 'appView' | 'views'> {
  const { auth, accounts, reader, serviceTokens: tokens, isProtected } = parts
  const upstream = new Upstream({ ...limits, allowPrivate: identity.allowPrivateAddresses })
  const destinations = new Destinations(parts.didDocuments, services)
  const proxy = new ServiceProxy({ upstream, destinations, auth, tokens, isProtected }, limits)
  const appView = services.appView && new AppView(services.appView, upstream, tokens)
  const images = { pattern: services.appView?.cdnUrlPattern, hostname }
  const views = appView && new Views({ proxy, upstream, appView, auth, accounts, reader }, images)
  return { upstream, destinations, proxy, appView, views }
}

function createOAuthProvider(
  { publicUrl, hostname, serviceDid, secrets, invites, identity, services, branding, links, oauth }: Config,
  { fetch, clientFetch, hooks }: { fetch: Fetch; clientFetch: Fetch; hooks: OAuthHooks },
  parts: Omit<Parameters<typeof createProvider>[0], 'descriptions'> & { reader: RepoReader },
) {
  const { store, reader } = parts
  const images = { pattern: services.appView?.cdnUrlPattern, hostname }
  const pageLinks: PageLink[] = []
  const link = (href: string | undefined, title: PageLink['title'], rel: PageLink['rel']) => {
    if (href !== undefined) pageLinks.push({ title, href, rel })
  }
  link(links.home, { en: 'Home', fr: 'Accueil' }, 'canonical')
  link(links.termsOfService, { en: 'Terms of Service' }, 'terms-of-service')
  link(links.privacyPolicy, { en: 'Privacy Policy' }, 'privacy-policy')
  link(links.support, { en: 'Support' }, 'help')
  link(`${publicUrl}${SECURITY_PATH}`, { en: 'Two-step sign-in' }, undefined)
  const descriptions = new Descriptions(reader, {
    serviceDid,
    avatarUrl: (did, blob) => imageUrl(images, 'avatar', did, blob),
  })
  return createProvider(
    { ...parts, descriptions },
    {
      publicUrl,
      jwtSecret: secrets.jwt,
      dpopSecret: oauth.dpopSecret,
      inviteRequired: invites.required,
      handleDomains: identity.serviceHandleDomains,
      hcaptcha: oauth.hcaptcha,
      trustedClients: oauth.trustedClients,
      branding: { ...branding, links: pageLinks },
      fetch: clientFetch,
      hooks,
      lexicons: createLexiconResolver({
        accounts: store.accounts,
        reader,
        fetch,
        plcUrl: identity.plcUrl,
        authorityDid: oauth.lexiconAuthorityDid,
      }),
    },
  )
}

function createMailer({ mail, branding, links }: Config): Mailer {
  const log = logger('mailer')
  const outboxOf = (smtp: SmtpConfig | undefined): Outbox | undefined => smtp && new SmtpOutbox(smtp, log)
  const outbox = outboxOf(mail.smtp) ?? new LogOutbox(log)
  return new Mailer({
    outbox,
    moderation: outboxOf(mail.moderationSmtp) ?? outbox,
    brand: {
      serviceName: branding.name,
      homeUrl: links.home,
      logoUrl: branding.logoUrl,
      primaryColor: branding.colors.primary,
    },
    confirmationLink: mail.confirmationLink,
  })
}

function createApp(services: Services, store: Store, { gate, trust, isExempt }: Entrance): RequestListener {
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
  // Before other origins are let in: those pages are for browsers that are here, and say themselves what is for others.
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

/** The library's pages know GET alone. Node leaves the body of an answer to HEAD out, whatever is written. */
const answerHead: RequestHandler = (request, _response, next) => {
  if (request.method === 'HEAD' && HEAD_PATHS.test(request.path)) request.method = 'GET'
  next()
}
/** What a GET only shows; signing in begins with one that does more. */
const HEAD_PATHS = /^\/(account|\.well-known|oauth\/jwks)(\/|$)/

/** Texts, and repositories, which the library does not know. A part of something is counted in its own bytes. */
function isCompressible(request: IncomingMessage, response: ServerResponse): boolean {
  if (response.hasHeader('content-range')) return false
  return response.getHeader('content-type') === CAR_TYPE || compression.filter(request, response)
}

/** What may be upgraded: the firehose. */
const upgrades =
  ({ subscribers }: Pick<Services, 'subscribers'>, gate: Gate): UpgradeListener =>
  (request, socket, head) => {
    if (!gate.admitsUpgrade(request, socket)) return
    if (request.url?.split('?', 1)[0] === SUBSCRIBE_PATH) subscribers.upgrade(request, socket, head)
    else refuseUpgrade(socket, 404)
  }

/** After a failed fsync nobody knows what is on the disk: only a new process that reads it again does. */
function endProcess(error: unknown): never {
  const log = logger('pds')
  const todo = 'look after the disk before the next start, which reads what is on it'
  log.fatal({ err: error, todo }, 'the disk failed to sync; ending')
  if (!log.isLevelEnabled('fatal')) console.error('the disk failed to sync; ending', error)
  process.exit(1)
}
