/** Constructs the services: who is given what. The only folder that does. */
import path from 'node:path'
import { DidResolver, HandleResolver } from '@atproto/identity'
import { type Fetch, guardedFetch } from '#platform/fetch.ts'
import { logger } from '#platform/log.ts'
import { importKey } from '#protocol/keys.ts'
import { Checkups } from '../accounts/account-status-report.ts'
import { Accounts } from '../accounts/accounts.ts'
import { AccountCreation } from '../accounts/create.ts'
import { AppPasswords } from '../accounts/credentials/app-passwords.ts'
import { EmailTokens } from '../accounts/credentials/email-tokens.ts'
import { Passkeys } from '../accounts/credentials/passkeys.ts'
import { PasswordChanges } from '../accounts/credentials/password-changes.ts'
import { PasswordProofs } from '../accounts/credentials/password-proofs.ts'
import { SecondFactors } from '../accounts/credentials/second-factors.ts'
import { Deletions } from '../accounts/deletions.ts'
import { DueAccounts } from '../accounts/due-accounts.ts'
import { Emails } from '../accounts/emails.ts'
import { HandleChanges } from '../accounts/handles.ts'
import { Identities } from '../accounts/identities.ts'
import { Invites } from '../accounts/invites.ts'
import { Moves } from '../accounts/moves.ts'
import { PendingNames } from '../accounts/pending-names.ts'
import { Preferences } from '../accounts/preferences.ts'
import { Sessions } from '../accounts/sessions.ts'
import { PasswordSignIn } from '../accounts/sign-in.ts'
import { Standing } from '../accounts/statuses.ts'
import { AccountInfos } from '../admin/account-infos.ts'
import { Takedowns } from '../admin/takedowns.ts'
import { protectedMethods } from '../auth/methods.ts'
import { ServiceTokens } from '../auth/service-tokens.ts'
import { AuthVerifier } from '../auth/verifier.ts'
import { Blobs } from '../blobs/blobs.ts'
import type { BlobFiles } from '../blobs/files.ts'
import type { Uploads } from '../blobs/uploads.ts'
import type { Config } from '../config.ts'
import { Crawlers } from '../firehose/crawlers.ts'
import { Firehose } from '../firehose/firehose.ts'
import { Subscribers } from '../firehose/subscribe.ts'
import type { Entrance } from '../http.ts'
import { DocumentCache } from '../identity/did-cache.ts'
import { DidDocuments } from '../identity/did-documents.ts'
import { Handles } from '../identity/handles.ts'
import { Plc } from '../identity/plc.ts'
import type { DiskSpace } from '../limits/disk-space.ts'
import { type FindAccount, SignIns } from '../limits/sign-ins.ts'
import type { Mailer } from '../mail/mailer.ts'
import { ProviderAppTokens } from '../oauth/app-tokens.ts'
import { Browsers } from '../oauth/device-sessions.ts'
import { limitingHooks } from '../oauth/limits.ts'
import { OAuthPruning } from '../oauth/pruning.ts'
import { ProviderRequests } from '../oauth/request-store.ts'
import { Visits } from '../oauth/visits.ts'
import { Exports } from '../repo/export.ts'
import { Imports } from '../repo/import.ts'
import { ReservedKeys } from '../repo/keys/reserved-keys.ts'
import { SigningKeys } from '../repo/keys/signing-keys.ts'
import { NodeCache } from '../repo/node-cache.ts'
import { RepoReader } from '../repo/read.ts'
import { RepoWriter } from '../repo/write.ts'
import type { Services } from '../services.ts'
import { RepoPages } from '../store/repo-pages.ts'
import type { Store } from '../store/store.ts'
import { PROTECTED_METHODS } from '../xrpc/index.ts'
import { createOAuthProvider } from './oauth.ts'
import { createProxy } from './proxy.ts'

/** Inside the data folder: archives while they are imported. */
const IMPORTS_FOLDER = 'imports'

/** What was opened before the services are constructed. */
export interface Opened {
  readonly store: Store
  readonly disk: DiskSpace
  readonly files: BlobFiles
  readonly uploads: Uploads
  readonly keySecret: Buffer
  readonly mailer: Mailer
  readonly entrance: Entrance
}

/** What a test may give a PDS in place of its own. */
export interface Substitutes {
  /** Gets what OAuth clients publish of themselves, in place of the guarded fetch. */
  readonly clientFetch?: Fetch
}

/** Constructs every service, and starts none. */
export async function createServices(
  config: Config,
  { store, disk, files, uploads, keySecret, mailer, entrance }: Opened,
  substitutes: Substitutes,
): Promise<Services> {
  const { identity, secrets } = config
  // The operator names the directory: it may be on a private address, but not slow or endless.
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
  const keys = new SigningKeys(store.credentials, keySecret)
  const reservedKeys = new ReservedKeys(store, keys)
  const nodes = new NodeCache(store.repos)
  const exports = new Exports(store, new RepoPages(store.db))
  const writer = new RepoWriter({ store, firehose, keys, nodes, exports })
  const imports = new Imports(
    { store, firehose, keys, exports, disk, log: logger('imports') },
    { folder: path.join(config.dataDirectory, IMPORTS_FOLDER) },
  )
  const sessions = new Sessions(store, { jwtSecret: secrets.jwt, serviceDid: config.serviceDid })
  const invites = new Invites(store, { ...config.invites, hostname: config.hostname })
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
  const accounts = new Accounts({ store, deletions, emailTokens })
  const pendingNames = new PendingNames()
  const accountCreation = new AccountCreation(
    {
      store,
      handles,
      plc,
      keys,
      reservedKeys,
      writer,
      sessions,
      invites,
      moves,
      pendingNames,
      log: logger('accounts'),
    },
    { publicUrl: config.publicUrl, recoveryDidKey: identity.recoveryDidKey, ...config.accounts },
  )
  const passwordSignIn = new PasswordSignIn(store)
  const handleChanges = new HandleChanges({ store, handles, plc, didDocuments, firehose, pendingNames })
  const isProtected = protectedMethods(PROTECTED_METHODS)
  const serviceTokens = new ServiceTokens((account) => keys.of(account), store.accounts, isProtected)
  const reader = new RepoReader(store, nodes)
  const standing = new Standing({ store, firehose, writer, exports, dueAccounts, identities })
  const passwordProofs = new PasswordProofs()
  const passwordChanges = new PasswordChanges(
    { store, emailTokens, emails, passwordProofs, log: logger('accounts') },
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
      accountCreation,
      passwordSignIn,
      handleChanges,
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
    accountCreation,
    passwordSignIn,
    handleChanges,
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
    browsers: new Browsers({ provider: oauthProvider, requests: new ProviderRequests(store), visits, hooks }),
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
