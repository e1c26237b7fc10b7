/**
 * The PDS's configuration, out of the reference's environment variables: the only reader of process.env here. Every fault is reported at
 * once, by name.
 */
import { existsSync } from 'node:fs'
import path from 'node:path'
import { isValidDid, isValidHandle } from '@atproto/syntax'
import {
  CONFIG_EXIT_STATUS,
  type ConfigError,
  type ConfigFault,
  type Env,
  readEnv,
  required,
  ValueError,
} from '#platform/env.ts'
import { type LogSettings, readLogSettings } from '#platform/log.ts'
import manifest from '../package.json' with { type: 'json' }

export { CONFIG_EXIT_STATUS, type ConfigError }

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
  readonly blobs: {
    readonly store:
      | { readonly kind: 'disk'; readonly folder: string }
      | ({ readonly kind: 's3' } & S3Settings)
    /** Where uploads are received. */
    readonly temporary: string
    readonly bytesMax: number
  }
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
    /** The shortest password that can be chosen over XRPC. The pages ask for eight characters at least. */
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
    /** What answers the views; undefined when there is none. `cdnUrlPattern`: `%s` for size, DID and CID of an image. */
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
    /** How often an account may make a code for somebody else; undefined: never. */
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
    /** The DID whose repository holds every lexicon document; undefined: each name's own authority. */
    readonly lexiconAuthorityDid: string | undefined
  }
}

/** A mail server, and who the mails are from. */
export interface SmtpConfig {
  readonly url: string
  readonly from: string
}

/** Another service, and the DID that it goes by. */
export interface ServiceConfig {
  readonly url: string
  readonly did: string
}

export interface RateLimitsConfig {
  /** Whoever sends it as `x-ratelimit-bypass` is not limited. */
  readonly bypassKey: string | undefined
  /** Addresses that are not limited, and whose `X-Forwarded-For` is believed. */
  readonly bypassIps: readonly string[]
  readonly points: RateLimitPoints
}

/** How many there may be in a time, of a network or an account. */
export type RateLimitPoints = { readonly [limit in keyof typeof RATE_LIMITS]: number }

/** How many there may be at once. */
export interface AtOnceConfig {
  readonly max: number
  readonly networkMax: number
}

/** Each limit's variable, `PDS_RATE_LIMIT_<name>`, and what it is without it: `@atproto/pds`'s number, where that has the limit. */
const RATE_LIMITS = {
  /** Requests of one network, whatever they ask for but what has a limit of its own. */
  requestsIn5Minutes: ['REQUESTS', 3_000],
  /** Requests of one network for `com.atproto.sync`. */
  syncRequestsIn5Minutes: ['SYNC_REQUESTS', 6_000],
  /** Downloads of whole repositories by one network. */
  downloadsIn5Minutes: ['DOWNLOADS', 6_000],
  /** Points of an account's writes: 3 for each record that is created, 2 for one that is updated, 1 for one that is deleted. */
  writesHourly: ['WRITES_HOURLY', 5_000],
  writesDaily: ['WRITES_DAILY', 35_000],
  /** Blobs from one network. */
  uploadsDaily: ['UPLOADS_DAILY', 1_000],
  /** New handles of one account. */
  handlesIn5Minutes: ['HANDLES', 10],
  handlesDaily: ['HANDLES_DAILY', 50],
  signUpsIn5Minutes: ['SIGN_UPS', 100],
  /** Attempts to sign in to one account from one network. */
  signInsIn5Minutes: ['SIGN_INS', 30],
  signInsDaily: ['SIGN_INS_DAILY', 300],
  /** Attempts to sign in from one network, to any accounts. */
  networkSignInsIn5Minutes: ['NETWORK_SIGN_INS', 100],
  /** Attempts to sign in to one account from anywhere; from there on they wait. */
  accountSignInsHourly: ['ACCOUNT_SIGN_INS_HOURLY', 100],
  /** Mailed codes that one network tries. */
  codesIn5Minutes: ['CODES', 50],
  passwordResetsHourly: ['PASSWORD_RESETS_HOURLY', 15],
  passwordResetsDaily: ['PASSWORD_RESETS_DAILY', 50],
  /** Mails that one account asks for, of each kind. */
  mailsHourly: ['MAILS_HOURLY', 5],
  mailsDaily: ['MAILS_DAILY', 15],
} as const satisfies Record<string, readonly [name: string, points: number]>

/** A bucket, and how it is reached. */
export interface S3Settings {
  readonly bucket: string
  readonly region: string | undefined
  readonly endpoint: string | undefined
  readonly forcePathStyle: boolean | undefined
  /** Left out: found as the AWS tools find them. */
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string } | undefined
  readonly uploadTimeoutMs: number
  readonly requestTimeoutMs: number | undefined
}

/** The reference's name for it. */
const TEMPORARY_FOLDER = 'tempt'
const S3_UPLOAD_MS_MAX = 20_000
/** A video, as the video service of Bluesky makes it at most. */
const BLOB_BYTES_MAX = 100 * 1024 * 1024
const IMPORT_BYTES_MAX = 1024 ** 3
const DISK_FREE_BYTES_MIN = 1024 ** 3
const DAY_MS = 86_400_000
const GIB = 1024 ** 3
const DAYS_MAX = 3_650
const PASSWORD_CHARACTERS_MIN = 8
/** What a server may ask for at most: people must be able to choose one that is within what can be set. */
const PASSWORD_CHARACTERS_MIN_MAX = 128
/** Nobody searches through 16 random bytes. */
const SECRET_BYTES_MIN = 16

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
      // The reference listens on every address; a development server is nobody else's business.
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
        cacheStaleMs: env.int('PDS_DID_CACHE_STALE_TTL', DAY_MS / 24),
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

/** Blobs lie on S3 when a bucket is named, on the disk otherwise. */
function blobStore(env: Env, dataDirectory: string): Pick<Config['blobs'], 'store' | 'temporary'> {
  const folder = env.string('PDS_BLOBSTORE_DISK_LOCATION')
  const temporary = env.string('PDS_BLOBSTORE_DISK_TMP_LOCATION')
  const bucket = env.string('PDS_BLOBSTORE_S3_BUCKET')
  if (bucket === undefined) {
    const place = folder ?? path.join(dataDirectory, 'blocks')
    return {
      store: { kind: 'disk', folder: place },
      temporary: temporary ?? path.join(place, TEMPORARY_FOLDER),
    }
  }
  if (folder !== undefined)
    env.fault('PDS_BLOBSTORE_S3_BUCKET', 'cannot be set together with PDS_BLOBSTORE_DISK_LOCATION')
  const accessKeyId = env.string('PDS_BLOBSTORE_S3_ACCESS_KEY_ID')
  const secretAccessKey = env.string('PDS_BLOBSTORE_S3_SECRET_ACCESS_KEY')
  if (accessKeyId === undefined && secretAccessKey !== undefined)
    env.fault('PDS_BLOBSTORE_S3_ACCESS_KEY_ID', 'must be set with PDS_BLOBSTORE_S3_SECRET_ACCESS_KEY')
  if (accessKeyId !== undefined && secretAccessKey === undefined)
    env.fault('PDS_BLOBSTORE_S3_SECRET_ACCESS_KEY', 'must be set with PDS_BLOBSTORE_S3_ACCESS_KEY_ID')
  return {
    store: {
      kind: 's3',
      bucket,
      region: env.string('PDS_BLOBSTORE_S3_REGION'),
      endpoint: env.url('PDS_BLOBSTORE_S3_ENDPOINT'),
      forcePathStyle: env.bool('PDS_BLOBSTORE_S3_FORCE_PATH_STYLE'),
      credentials:
        accessKeyId === undefined || secretAccessKey === undefined
          ? undefined
          : { accessKeyId, secretAccessKey },
      uploadTimeoutMs: env.int('PDS_BLOBSTORE_S3_UPLOAD_TIMEOUT_MS') || S3_UPLOAD_MS_MAX,
      requestTimeoutMs: env.int('PDS_BLOBSTORE_S3_REQUEST_TIMEOUT_MS'),
    },
    temporary: temporary ?? path.join(dataDirectory, TEMPORARY_FOLDER),
  }
}

/** What would silently work otherwise than the operator thinks is refused. */
function refuseUnsupported(env: Env): void {
  if (env.has('PDS_ENTRYWAY_URL')) env.fault('PDS_ENTRYWAY_URL', 'an entryway is not supported')
  if (env.has('PDS_PLC_ROTATION_KEY_KMS_KEY_ID')) {
    env.fault(
      'PDS_PLC_ROTATION_KEY_KMS_KEY_ID',
      'a key in KMS is not supported; set PDS_PLC_ROTATION_KEY_K256_PRIVATE_KEY_HEX',
    )
  }
}

/** A number of days, in milliseconds. */
function days(env: Env, name: string, fallback: number): number {
  return env.int(name, fallback, { min: 1, max: DAYS_MAX }) * DAY_MS
}

/** A secret text: on a public host one that cannot be guessed. The fault does not show it. */
function secret(env: Env, name: string, isPublic: boolean): string {
  const parse = (text: string): string => {
    if (!isPublic || Buffer.byteLength(text) >= SECRET_BYTES_MIN) return text
    throw new ValueError(`must have at least ${SECRET_BYTES_MIN} bytes; \`openssl rand --hex 16\` makes one`)
  }
  return env.parse(name, parse, required, '')
}

function didKey(env: Env, name: string): string | undefined {
  const parse = (text: string): string => {
    if (/^did:key:z[1-9A-HJ-NP-Za-km-z]+$/.test(text)) return text
    throw new ValueError('must be a did:key')
  }
  return env.parse(name, parse, undefined, '')
}

/** The reference's variables that have no effect here: what of it is here instead, if anything. */
const UNUSED: readonly (readonly [name: string, message: string])[] = [
  ...[
    'PDS_ACCOUNT_DB_LOCATION',
    'PDS_SEQUENCER_DB_LOCATION',
    'PDS_DID_CACHE_DB_LOCATION',
    'PDS_ACTOR_STORE_DIRECTORY',
  ].map(
    (name) => [name, 'says where a database of @atproto/pds lies; here is one, in the data folder'] as const,
  ),
  ['PDS_ACTOR_STORE_CACHE_SIZE', 'there is one database, and it is always open'],
  ['PDS_MAX_SUBSCRIPTION_BUFFER', 'subscribers read the event table; there is no buffer for each'],
  ['PDS_REDIS_SCRATCH_ADDRESS', 'what the limits count is kept in memory'],
  ['PDS_REDIS_SCRATCH_PASSWORD', 'what the limits count is kept in memory'],
  ...[
    'PDS_ENTRYWAY_DID',
    'PDS_ENTRYWAY_JWT_VERIFY_KEY_K256_PUBLIC_KEY_HEX',
    'PDS_ENTRYWAY_PLC_ROTATION_KEY',
    'PDS_ENTRYWAY_ADMIN_TOKEN',
  ].map((name) => [name, 'an entryway is not supported'] as const),
]

function warnOfUnused(env: Env): void {
  for (const [name, message] of UNUSED) if (env.has(name)) env.warn(name, message)
}

/** A service named by two variables, `<prefix>_URL` and `<prefix>_DID`. */
function service(env: Env, prefix: string): ServiceConfig | undefined {
  const url = env.url(`${prefix}_URL`)
  const name = did(env, `${prefix}_DID`)
  if (url === undefined) return undefined
  if (name === undefined) {
    env.fault(`${prefix}_DID`, `is not set, though ${prefix}_URL is`)
    return undefined
  }
  return { url, did: name }
}

function appView(env: Env): Config['services']['appView'] {
  const cdnUrlPattern = env.string('PDS_BSKY_APP_VIEW_CDN_URL_PATTERN')
  const found = service(env, 'PDS_BSKY_APP_VIEW')
  return found && { ...found, cdnUrlPattern }
}

/** `<prefix>_MAX` in all, and `<prefix>_NETWORK_MAX` of one network. */
function atOnce(env: Env, prefix: string, preset: AtOnceConfig): AtOnceConfig {
  return {
    max: env.int(`${prefix}_MAX`, preset.max, { min: 1 }),
    networkMax: env.int(`${prefix}_NETWORK_MAX`, preset.networkMax, { min: 1 }),
  }
}

/** @param isPublic whether strangers come here: then requests are limited unless the operator says otherwise */
function rateLimits(env: Env, isPublic: boolean): RateLimitsConfig | undefined {
  const bypassKey = env.string('PDS_RATE_LIMIT_BYPASS_KEY')
  const bypassIps = env.addresses('PDS_RATE_LIMIT_BYPASS_IPS')
  const points = Object.fromEntries(
    Object.entries(RATE_LIMITS).map(([limit, [name, preset]]) => [
      limit,
      env.int(`PDS_RATE_LIMIT_${name}`, preset, { min: 1 }),
    ]),
  ) as RateLimitPoints
  return env.bool('PDS_RATE_LIMITS_ENABLED', isPublic) ? { bypassKey, bypassIps, points } : undefined
}

/** The URLs of relays. */
function crawlers(env: Env): string[] {
  const parse = (text: string): string[] =>
    text.split(',').flatMap((word) => {
      if (word.trim() === '') return []
      const url = URL.parse(word.trim())
      if (url?.protocol === 'https:' || url?.protocol === 'http:') return url.origin
      throw new ValueError('must be a list of URLs that start with https:// or http://')
    })
  return env.parse('PDS_CRAWLERS', parse, [], [])
}

/** An address as it was written. */
function address(
  env: Env,
  name: string,
  schemes: readonly string[] = ['http:', 'https:'],
): string | undefined {
  const parse = (text: string): string => {
    if (schemes.includes(URL.parse(text)?.protocol ?? '')) return text
    throw new ValueError(`must be a URL that starts with ${schemes.join(' or ')}`)
  }
  return env.parse(name, parse, undefined, '')
}

/** A CSS color in the forms that the OAuth pages take. */
function color(env: Env, name: string): string | undefined {
  const parse = (text: string): string => {
    const numbers = /^rgba?\(\s*(\d+(?:\s*,\s*\d+){2,3})\s*\)$/.exec(text)?.[1]?.split(',')
    const isHex = /^#(?:[0-9a-f]{3,4}|[0-9a-f]{6}|[0-9a-f]{8})$/i.test(text)
    const isRgb =
      numbers?.length === (text.startsWith('rgba') ? 4 : 3) && numbers.every((n) => Number(n) <= 255)
    if (isHex || isRgb) return text
    throw new ValueError('must be a color such as #1e90ff or rgb(30, 144, 255)')
  }
  return env.parse(name, parse, undefined, '')
}

function hcaptcha(env: Env): Config['oauth']['hcaptcha'] {
  const siteKey = env.string('PDS_HCAPTCHA_SITE_KEY')
  const secretKey = env.string('PDS_HCAPTCHA_SECRET_KEY')
  const tokenSalt = env.string('PDS_HCAPTCHA_TOKEN_SALT')
  return siteKey && secretKey && tokenSalt ? { siteKey, secretKey, tokenSalt } : undefined
}

function did(env: Env, name: string): string | undefined {
  const parse = (text: string): string => {
    if (isValidDid(text)) return text
    throw new ValueError('must be a DID, such as did:plc:... or did:web:...')
  }
  return env.parse(name, parse, undefined, '')
}

/** One of the two alone is a mistake that would show only when the first mail is sent. */
function smtp(env: Env, urlName: string, fromName: string): SmtpConfig | undefined {
  if (env.has(urlName) !== env.has(fromName)) {
    const [set, missing] = env.has(urlName) ? [urlName, fromName] : [fromName, urlName]
    env.fault(missing, `must be set when ${set} is`)
  }
  if (!env.has(urlName) || !env.has(fromName)) return undefined
  return {
    url: env.url(urlName, required, ['smtp:', 'smtps:']),
    from: env.parse(fromName, mailAddress, required, ''),
  }
}

/** An address that mail is from or goes to: alone, or after a name in angle brackets. */
function mailAddress(text: string): string {
  if (/^[^\s@<>]+@[^\s@<>]+$/.test(text) || /^[^<>]*<[^\s@<>]+@[^\s@<>]+>$/.test(text)) return text
  throw new ValueError('must be a mail address, such as pds@example.com or "My PDS <pds@example.com>"')
}

function handleDomains(env: Env, fallback: string[]): string[] {
  const parse = (text: string): string[] => {
    const domains = text.split(',').map((domain) => domain.trim().toLowerCase())
    for (const domain of domains) {
      if (!domain.startsWith('.')) throw new ValueError(`each domain starts with a dot, "${domain}" does not`)
      if (!isValidHandle(`x${domain}`))
        throw new ValueError(`"${domain}" is no domain that handles can be under`)
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
