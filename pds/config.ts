/**
 * The PDS's configuration, from `@atproto/pds`'s environment variables. The only reader of
 * process.env; `config/` has the kinds of values. All faults are reported at once, by name.
 */
import { type ConfigFault, type Env, readEnv, required } from '#platform/env.ts'
import { type LogSettings, readLogSettings } from '#platform/log.ts'
import { DAY_MS, HOUR_MS } from '#platform/time.ts'
import manifest from '../package.json' with { type: 'json' }
import { type BlobStoreConfig, blobStore } from './config/blob-store.ts'
import { type AtOnceConfig, atOnce, type RateLimitsConfig, rateLimits } from './config/rate-limits.ts'
import { crawlers, type ServiceConfig, type SmtpConfig, service, smtp } from './config/services.ts'
import { refuseUnsupported, warnOfUnused } from './config/unsupported.ts'
import { address, color, days, did, didKey, handleDomains, mailAddress, secret } from './config/values.ts'

export interface Config {
  /** Variables that are set and have no effect, and why. */
  readonly warnings: readonly ConfigFault[]
  readonly host: string | undefined
  readonly port: number
  readonly hostname: string
  readonly publicUrl: string
  readonly serviceDid: string
  readonly version: string
  readonly devMode: boolean
  readonly log: LogSettings
  readonly dataDirectory: string
  /** Leave it to a program that ships the write-ahead log to copy it into the file. */
  readonly disableWalAutoCheckpoint: boolean
  readonly blobs: BlobStoreConfig & { readonly bytesMax: number }
  readonly imports: {
    readonly accepted: boolean
    /** Of one archive, as unpacked. */
    readonly bytesMax: number
  }
  /** Uploads and imports are refused below this. */
  readonly diskFreeBytesMin: number
  readonly secrets: {
    readonly jwt: string
    readonly adminPassword: string
    /** K-256, 32 bytes. */
    readonly plcRotationKey: Buffer
  }
  readonly accounts: {
    /**
     * The shortest password that can be chosen over XRPC. The pages ask for eight characters at
     * least.
     */
    readonly passwordCharactersMin: number
    /** How long a deactivated account stays at least, whatever its owner wished. */
    readonly deleteDelayMs: number
    /** How long what moved in of an account that was never active stays without another step. */
    readonly unactivatedKeepMs: number
    /** How many such accounts there may be, and how much they may bring. */
    readonly movesMax: number
    readonly movesPerNetworkMax: number
    readonly moveBytesMax: number
    readonly moveBytesPerNetworkMax: number
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
  readonly services: {
    /**
     * What answers the views; undefined when there is none. `cdnUrlPattern`: `%s` for size, DID and
     * CID of an image.
     */
    readonly appView: (ServiceConfig & { readonly cdnUrlPattern: string | undefined }) | undefined
    readonly moderation: ServiceConfig | undefined
    readonly reports: ServiceConfig | undefined
  }
  readonly proxy: {
    readonly allowHttp2: boolean
    readonly headersMsMax: number
    readonly bodyMsMax: number
    readonly responseBytesMax: number
    readonly retriesMax: number
    readonly preferCompressed: boolean
  }
  /** undefined: requests are not limited. */
  readonly rateLimits: RateLimitsConfig | undefined
  /** What takes long, and how much of it there may be at once. */
  readonly atOnce: {
    /** Repositories that are sent. */
    readonly exports: AtOnceConfig
    /** Blobs that are sent. */
    readonly downloads: AtOnceConfig
    readonly uploads: AtOnceConfig
    readonly imports: AtOnceConfig
    readonly subscribers: AtOnceConfig
  }
  /** URLs of the relays that are asked to crawl. */
  readonly crawlers: readonly string[]
  readonly invites: {
    readonly required: boolean
    /** How often an account may create an invite code for others; undefined: never. */
    readonly intervalMs: number | undefined
    /** Since when that is counted: milliseconds since 1970. */
    readonly epochMs: number
  }
  readonly mail: {
    /** Without it, mails go into the log. */
    readonly smtp: SmtpConfig | undefined
    readonly moderationSmtp: SmtpConfig | undefined
    readonly confirmationLink: boolean
  }
  readonly backfillMsMax: number
  readonly links: {
    readonly home: string | undefined
    readonly privacyPolicy: string | undefined
    readonly termsOfService: string | undefined
    readonly support: string | undefined
    readonly contactEmail: string | undefined
  }
  /** How the server presents itself to people. */
  readonly branding: {
    readonly name: string
    readonly logoUrl: string | undefined
    readonly colors: {
      readonly primary: string | undefined
      readonly error: string | undefined
      readonly warning: string | undefined
      readonly info: string | undefined
      readonly success: string | undefined
    }
    readonly backgroundLightUrl: string | undefined
    readonly backgroundDarkUrl: string | undefined
  }
  readonly oauth: {
    /** The ids of clients whose consent page is shorter. */
    readonly trustedClients: readonly string[]
    /** 32 bytes; undefined: new ones at every start. */
    readonly dpopSecret: Buffer | undefined
    /** The check that a person signs up; undefined without all three of its variables. */
    readonly hcaptcha:
      | { readonly siteKey: string; readonly secretKey: string; readonly tokenSalt: string }
      | undefined
    /**
     * The DID whose repository holds every lexicon document; undefined: each name's own authority.
     */
    readonly lexiconAuthorityDid: string | undefined
  }
}

/** A video, as the video service of Bluesky makes it at most. */
const BLOB_BYTES_MAX = 100 * 1024 * 1024
const IMPORT_BYTES_MAX = 1024 ** 3
const DISK_FREE_BYTES_MIN = 1024 ** 3
const GIB = 1024 ** 3
const PASSWORD_CHARACTERS_MIN = 8
/**
 * What a server may ask for at most: people must be able to choose one that is within what can be
 * set.
 */
const PASSWORD_CHARACTERS_MIN_MAX = 128

/** @throws ConfigError */
export function readConfig(variables: Record<string, string | undefined> = process.env): Config {
  return readEnv(variables, (env) => {
    const port = env.port('PDS_PORT', 2583)
    const hostname = env.hostname('PDS_HOSTNAME', 'localhost')
    const local = hostname === 'localhost'
    const devMode = env.bool('PDS_DEV_MODE', false)
    const isPublic = !local && !devMode
    const dataDirectory = env.string('PDS_DATA_DIRECTORY', required)
    const moderation = service(env, 'PDS_MOD_SERVICE')
    refuseUnsupported(env)
    warnOfUnused(env)
    return {
      warnings: env.warnings,
      // `@atproto/pds` listens on every address; a development server should not be exposed.
      host: env.string('PDS_LISTEN_HOST') ?? (local ? '127.0.0.1' : undefined),
      port,
      hostname,
      publicUrl: local ? `http://localhost:${port}` : `https://${hostname}`,
      serviceDid: did(env, 'PDS_SERVICE_DID') ?? `did:web:${hostname}`,
      version: env.string('PDS_VERSION', manifest.version),
      devMode,
      log: readLogSettings(env),
      dataDirectory,
      disableWalAutoCheckpoint: env.bool('PDS_SQLITE_DISABLE_WAL_AUTO_CHECKPOINT', false),
      blobs: {
        ...blobStore(env, dataDirectory),
        bytesMax: env.int('PDS_BLOB_UPLOAD_LIMIT', BLOB_BYTES_MAX, { min: 1 }),
      },
      imports: {
        accepted: env.bool('PDS_ACCEPTING_REPO_IMPORTS', true),
        bytesMax: env.int('PDS_MAX_REPO_IMPORT_SIZE', IMPORT_BYTES_MAX, { min: 1 }),
      },
      diskFreeBytesMin: env.int('PDS_DISK_FREE_MIN_BYTES', DISK_FREE_BYTES_MIN),
      secrets: {
        jwt: secret(env, 'PDS_JWT_SECRET', isPublic),
        adminPassword: secret(env, 'PDS_ADMIN_PASSWORD', isPublic),
        plcRotationKey: env.hex('PDS_PLC_ROTATION_KEY_K256_PRIVATE_KEY_HEX', 32, required),
      },
      accounts: {
        passwordCharactersMin: env.int('PDS_PASSWORD_LENGTH_MIN', isPublic ? PASSWORD_CHARACTERS_MIN : 1, {
          min: 1,
          max: PASSWORD_CHARACTERS_MIN_MAX,
        }),
        deleteDelayMs: days(env, 'PDS_ACCOUNT_DELETE_DELAY_DAYS', 30),
        unactivatedKeepMs: days(env, 'PDS_UNACTIVATED_KEEP_DAYS', 30),
        movesMax: env.int('PDS_UNACTIVATED_ACCOUNTS_MAX', 1_000),
        movesPerNetworkMax: env.int('PDS_UNACTIVATED_ACCOUNTS_PER_NETWORK_MAX', 20),
        moveBytesMax: env.int('PDS_UNACTIVATED_BYTES_MAX', 200 * GIB),
        moveBytesPerNetworkMax: env.int('PDS_UNACTIVATED_BYTES_PER_NETWORK_MAX', 20 * GIB),
      },
      identity: {
        plcUrl: env.url('PDS_DID_PLC_URL', 'https://plc.directory'),
        resolverTimeoutMs: env.int('PDS_ID_RESOLVER_TIMEOUT', 3_000, { min: 1 }),
        cacheStaleMs: env.int('PDS_DID_CACHE_STALE_TTL', HOUR_MS),
        cacheMaxMs: env.int('PDS_DID_CACHE_MAX_TTL', DAY_MS),
        recoveryDidKey: didKey(env, 'PDS_RECOVERY_DID_KEY'),
        serviceHandleDomains: handleDomains(env, local ? ['.test'] : [`.${hostname}`]),
        backupNameservers: env.list('PDS_HANDLE_BACKUP_NAMESERVERS'),
        didDocWithSession: env.bool('PDS_ENABLE_DID_DOC_WITH_SESSION', false),
        allowPrivateAddresses: env.bool('PDS_DISABLE_SSRF_PROTECTION', devMode),
        fetchBytesMax: env.int('PDS_FETCH_MAX_RESPONSE_SIZE', 512 * 1024, { min: 1 }),
      },
      services: {
        appView: appView(env),
        moderation,
        reports: service(env, 'PDS_REPORT_SERVICE') ?? moderation,
      },
      proxy: {
        allowHttp2: env.bool('PDS_PROXY_ALLOW_HTTP2', false),
        headersMsMax: env.int('PDS_PROXY_HEADERS_TIMEOUT', 10_000),
        bodyMsMax: env.int('PDS_PROXY_BODY_TIMEOUT', 30_000),
        responseBytesMax: env.int('PDS_PROXY_MAX_RESPONSE_SIZE', 10 * 1024 * 1024, { min: 1 }),
        retriesMax: env.int('PDS_PROXY_MAX_RETRIES', 0),
        preferCompressed: env.bool('PDS_PROXY_PREFER_COMPRESSED', false),
      },
      rateLimits: rateLimits(env, !local),
      atOnce: {
        exports: atOnce(env, 'PDS_EXPORTS', { max: 200, networkMax: 20 }),
        downloads: atOnce(env, 'PDS_BLOB_DOWNLOADS', { max: 2_000, networkMax: 200 }),
        uploads: atOnce(env, 'PDS_UPLOADS', { max: 200, networkMax: 20 }),
        imports: atOnce(env, 'PDS_IMPORTS', { max: 20, networkMax: 4 }),
        subscribers: atOnce(env, 'PDS_SUBSCRIBERS', { max: 5_000, networkMax: 50 }),
      },
      crawlers: crawlers(env),
      invites: {
        required: env.bool('PDS_INVITE_REQUIRED', true),
        intervalMs: env.int('PDS_INVITE_INTERVAL'),
        epochMs: env.int('PDS_INVITE_EPOCH', 0),
      },
      mail: {
        smtp: smtp(env, 'PDS_EMAIL_SMTP_URL', 'PDS_EMAIL_FROM_ADDRESS'),
        moderationSmtp: smtp(env, 'PDS_MODERATION_EMAIL_SMTP_URL', 'PDS_MODERATION_EMAIL_ADDRESS'),
        confirmationLink: !env.bool('PDS_EMAIL_DISABLE_CONFIRMATION_LINK', false),
      },
      backfillMsMax: env.int('PDS_REPO_BACKFILL_LIMIT_MS', DAY_MS),
      links: {
        home: address(env, 'PDS_HOME_URL'),
        support: address(env, 'PDS_SUPPORT_URL'),
        privacyPolicy: address(env, 'PDS_PRIVACY_POLICY_URL'),
        termsOfService: address(env, 'PDS_TERMS_OF_SERVICE_URL'),
        contactEmail: env.parse('PDS_CONTACT_EMAIL_ADDRESS', mailAddress, undefined, ''),
      },
      branding: {
        name: env.string('PDS_SERVICE_NAME', `${hostname} PDS`),
        logoUrl: address(env, 'PDS_LOGO_URL', ['http:', 'https:', 'data:']),
        colors: {
          primary: color(env, 'PDS_PRIMARY_COLOR'),
          error: color(env, 'PDS_ERROR_COLOR'),
          warning: color(env, 'PDS_WARNING_COLOR'),
          info: color(env, 'PDS_INFO_COLOR'),
          success: color(env, 'PDS_SUCCESS_COLOR'),
        },
        backgroundLightUrl: address(env, 'PDS_BACKGROUND_LIGHT_URL', ['http:', 'https:', 'data:']),
        backgroundDarkUrl: address(env, 'PDS_BACKGROUND_DARK_URL', ['http:', 'https:', 'data:']),
      },
      oauth: {
        trustedClients: env.list('PDS_OAUTH_TRUSTED_CLIENTS'),
        dpopSecret: env.hex('PDS_DPOP_SECRET', 32),
        hcaptcha: hcaptcha(env),
        lexiconAuthorityDid: did(env, 'PDS_LEXICON_AUTHORITY_DID'),
      },
    }
  })
}

function appView(env: Env): Config['services']['appView'] {
  const cdnUrlPattern = env.string('PDS_BSKY_APP_VIEW_CDN_URL_PATTERN')
  const found = service(env, 'PDS_BSKY_APP_VIEW')
  return found && { ...found, cdnUrlPattern }
}

function hcaptcha(env: Env): Config['oauth']['hcaptcha'] {
  const siteKey = env.string('PDS_HCAPTCHA_SITE_KEY')
  const secretKey = env.string('PDS_HCAPTCHA_SECRET_KEY')
  const tokenSalt = env.string('PDS_HCAPTCHA_TOKEN_SALT')
  return siteKey && secretKey && tokenSalt ? { siteKey, secretKey, tokenSalt } : undefined
}
