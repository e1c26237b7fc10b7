/** A running PDS: what it opens and starts, in which order, and what owns it all until it stops. */
import path from 'node:path'
import { ListeningHttp } from '#platform/http.ts'
import { logger } from '#platform/log.ts'
import { makePrivateFolder } from '#platform/private-files.ts'
import { isK256Native } from '#protocol/keys.ts'
import { DiskBlobs } from './blobs/disk.ts'
import type { BlobFiles } from './blobs/files.ts'
import { Uploads } from './blobs/uploads.ts'
import { DATABASE_FILE, refuseForeignData } from './config/data-folder.ts'
import type { SmtpConfig } from './config/services.ts'
import type { Config } from './config.ts'
import { createApp, openEntrance, upgrades } from './http.ts'
import { DiskSpace } from './limits/disk-space.ts'
import { Mailer } from './mail/mailer.ts'
import { LogOutbox, type Outbox, SmtpOutbox } from './mail/transport.ts'
import { KEY_SECRET_FILE, openKeySecret } from './repo/keys/key-secret.ts'
import type { Services } from './services.ts'
import { Store } from './store/store.ts'
import { createServices, type Substitutes } from './wiring/services.ts'

/** A running PDS. Disposing of it ends connections, finishes writes, and closes the database. */
export interface Pds extends AsyncDisposable {
  readonly services: Services
  /** The port it listens on. */
  readonly port: number
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
  // In the order of opening; disposed of in reverse, also when the start fails.
  await using opened = new AsyncDisposableStack()
  const store = opened.use(
    new Store({
      path: path.join(config.dataDirectory, DATABASE_FILE),
      disableAutoCheckpoint: config.disableWalAutoCheckpoint,
      onFatal: endProcess,
    }),
  )
  const disk = new DiskSpace({ freeBytesMin: config.diskFreeBytesMin, log: logger('disk') })
  const files = await openBlobFiles(config, disk)
  const uploads = new Uploads(config.blobs.temporary, disk)
  await uploads.open()
  // Exports that were under way when the process ended kept blocks aside for nobody. And what that
  // process wrote and did not sync is on the disk once this is, before anybody is told of it.
  await store.db.write((tx) => store.repos.dropAllRetired(tx))
  const keySecret = await openKeySecret(store, path.join(config.dataDirectory, KEY_SECRET_FILE))
  const mailer = createMailer(config)
  const entrance = openEntrance(config)
  const services = await createServices(
    config,
    { store, disk, files, uploads, keySecret, mailer, entrance },
    substitutes,
  )
  opened.use(services.blobs)
  opened.use(services.imports)
  opened.use(services.mailer)
  opened.use(services.oauthPruning)
  opened.use(services.deletions)
  opened.use(services.dueAccounts)
  opened.use(services.upstream)
  opened.use(services.crawlers)
  opened.use(entrance.peers)
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
  opened.defer(async () => {
    // Requests under way end while subscribers are closed.
    const closed = http[Symbol.asyncDispose]()
    await services.subscribers[Symbol.asyncDispose]()
    await closed
  })
  const running = opened.move()
  log.info({ port: config.port, did: config.serviceDid }, 'started')
  return {
    services,
    port: http.address.port,
    [Symbol.asyncDispose]: async () => {
      await running.disposeAsync()
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

/**
 * After a failed fsync nobody knows what is on the disk: only a new process that reads it again
 * does.
 */
function endProcess(error: unknown): never {
  const log = logger('pds')
  const todo = 'look after the disk before the next start, which reads what is on it'
  log.fatal({ err: error, todo }, 'the disk failed to sync; ending')
  if (!log.isLevelEnabled('fatal')) console.error('the disk failed to sync; ending', error)
  process.exit(1)
}
