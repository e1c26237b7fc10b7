/**
 * The PDS's configuration, out of the reference's environment variables: the only reader of process.env here. Every fault is reported at
 * once, by name. A part that is not built yet does not read its variables.
 */
import { existsSync } from 'node:fs'
import path from 'node:path'
import {
  CONFIG_EXIT_STATUS,
  type ConfigError,
  type Env,
  readEnv,
  required,
  ValueError,
} from '#platform/env.ts'
import { type LogSettings, readLogSettings } from '#platform/log.ts'
import manifest from '../package.json' with { type: 'json' }

export { CONFIG_EXIT_STATUS, type ConfigError }

export interface Config {
  readonly host: string | undefined
  readonly port: number
  readonly hostname: string
  readonly publicUrl: string
  readonly serviceDid: string
  readonly version: string
  readonly devMode: boolean
  readonly log: LogSettings
  readonly dataDirectory: string
  readonly blobs: {
    readonly folder: string
    readonly temporary: string | undefined
    readonly bytesMax: number
  }
  readonly secrets: {
    readonly jwt: string
    readonly adminPassword: string
    /** K-256, 32 bytes. */
    readonly plcRotationKey: Buffer
  }
  readonly identity: {
    readonly plcUrl: string
    readonly resolverTimeoutMs: number
    readonly cacheStaleMs: number
    readonly cacheMaxMs: number
    readonly recoveryDidKey: string | undefined
    readonly serviceHandleDomains: readonly string[]
    readonly backupNameservers: readonly string[]
    readonly didDocWithSession: boolean
    readonly allowPrivateAddresses: boolean
    readonly fetchBytesMax: number
  }
  readonly inviteRequired: boolean
  readonly backfillMsMax: number
  readonly links: {
    readonly privacyPolicy: string | undefined
    readonly termsOfService: string | undefined
    readonly contactEmail: string | undefined
  }
}

const BLOB_BYTES_MAX = 5 * 1024 * 1024
const DAY_MS = 86_400_000

/** @throws ConfigError */
export function readConfig(variables: Record<string, string | undefined> = process.env): Config {
  return readEnv(variables, (env) => {
    const port = env.port('PDS_PORT', 2583)
    const hostname = env.string('PDS_HOSTNAME', 'localhost')
    const local = hostname === 'localhost'
    const devMode = env.bool('PDS_DEV_MODE', false)
    const dataDirectory = env.string('PDS_DATA_DIRECTORY', required)
    refuseUnsupported(env)
    return {
      // The reference listens on every address; a development server is nobody else's business.
      host: env.string('PDS_LISTEN_HOST') ?? (local ? '127.0.0.1' : undefined),
      port,
      hostname,
      publicUrl: local ? `http://localhost:${port}` : `https://${hostname}`,
      serviceDid: env.string('PDS_SERVICE_DID', `did:web:${hostname}`),
      version: env.string('PDS_VERSION', manifest.version),
      devMode,
      log: readLogSettings(env),
      dataDirectory,
      blobs: {
        folder: env.string('PDS_BLOBSTORE_DISK_LOCATION', path.join(dataDirectory, 'blocks')),
        temporary: env.string('PDS_BLOBSTORE_DISK_TMP_LOCATION'),
        bytesMax: env.int('PDS_BLOB_UPLOAD_LIMIT', BLOB_BYTES_MAX, { min: 1 }),
      },
      secrets: {
        jwt: env.string('PDS_JWT_SECRET', required),
        adminPassword: env.string('PDS_ADMIN_PASSWORD', required),
        plcRotationKey: env.hex('PDS_PLC_ROTATION_KEY_K256_PRIVATE_KEY_HEX', 32, required),
      },
      identity: {
        plcUrl: env.url('PDS_DID_PLC_URL', 'https://plc.directory'),
        resolverTimeoutMs: env.int('PDS_ID_RESOLVER_TIMEOUT', 3_000, { min: 1 }),
        cacheStaleMs: env.int('PDS_DID_CACHE_STALE_TTL', DAY_MS / 24),
        cacheMaxMs: env.int('PDS_DID_CACHE_MAX_TTL', DAY_MS),
        recoveryDidKey: env.string('PDS_RECOVERY_DID_KEY'),
        serviceHandleDomains: handleDomains(env, local ? ['.test'] : [`.${hostname}`]),
        backupNameservers: env.list('PDS_HANDLE_BACKUP_NAMESERVERS'),
        didDocWithSession: env.bool('PDS_ENABLE_DID_DOC_WITH_SESSION', false),
        allowPrivateAddresses: env.bool('PDS_DISABLE_SSRF_PROTECTION', devMode),
        fetchBytesMax: env.int('PDS_FETCH_MAX_RESPONSE_SIZE', 512 * 1024, { min: 1 }),
      },
      inviteRequired: env.bool('PDS_INVITE_REQUIRED', true),
      backfillMsMax: env.int('PDS_REPO_BACKFILL_LIMIT_MS', DAY_MS),
      links: {
        privacyPolicy: env.string('PDS_PRIVACY_POLICY_URL'),
        termsOfService: env.string('PDS_TERMS_OF_SERVICE_URL'),
        contactEmail: env.string('PDS_CONTACT_EMAIL_ADDRESS'),
      },
    }
  })
}

/** What would silently work otherwise than the operator thinks is refused. */
function refuseUnsupported(env: Env): void {
  if (env.has('PDS_ENTRYWAY_URL')) env.fault('PDS_ENTRYWAY_URL', 'an entryway is not supported')
  if (env.has('PDS_BLOBSTORE_S3_BUCKET')) {
    env.fault('PDS_BLOBSTORE_S3_BUCKET', 'blobs on S3 are not supported yet; set PDS_BLOBSTORE_DISK_LOCATION')
  }
  if (env.has('PDS_PLC_ROTATION_KEY_KMS_KEY_ID')) {
    env.fault(
      'PDS_PLC_ROTATION_KEY_KMS_KEY_ID',
      'a key in KMS is not supported; set PDS_PLC_ROTATION_KEY_K256_PRIVATE_KEY_HEX',
    )
  }
}

function handleDomains(env: Env, fallback: string[]): string[] {
  const parse = (text: string): string[] => {
    const domains = text.split(',').map((domain) => domain.trim().toLowerCase())
    for (const domain of domains) {
      if (!domain.startsWith('.') || domain.includes('..'))
        throw new ValueError(`each domain starts with a dot, "${domain}" does not`)
    }
    return domains
  }
  return env.parse('PDS_SERVICE_HANDLE_DOMAINS', parse, fallback, [])
}

/** The data folder belongs to an official installation, which must be adopted and not be started empty beside. */
export class ForeignDataError extends Error {
  override name = 'ForeignDataError'
  constructor(folder: string) {
    super(
      `${path.resolve(folder)} holds the data of an official PDS (account.sqlite, actors/) that has not been adopted. ` +
        'Atoll would start empty beside it. Choose another PDS_DATA_DIRECTORY.',
    )
  }
}

/** The database's file inside the data folder. */
export const DATABASE_FILE = 'atoll.sqlite'

/** @throws ForeignDataError */
export function refuseForeignData(folder: string): void {
  const has = (name: string) => existsSync(path.join(folder, name))
  if (!has(DATABASE_FILE) && (has('account.sqlite') || has('actors'))) throw new ForeignDataError(folder)
}
