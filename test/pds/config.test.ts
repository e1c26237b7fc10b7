/** Every variable that `@atproto/pds` reads: what becomes of it here. */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { ConfigError } from '#platform/env.ts'
import { type Config, readConfig } from '../../pds/config.ts'
import { pdsEnv } from '../support/pds.ts'

type Variables = Record<string, string>

/**
 * What a variable does: `set` changes the configuration, beside `with`; `not` are values that it
 * cannot have.
 */
interface Read {
  readonly set: string
  readonly with?: Variables
  readonly not?: readonly string[]
}

const URL_VALUES = ['nonsense', 'ftp://example.com']
const BOOL_VALUES = ['maybe', 'TRUE']
const INT_VALUES = ['many', '-1', '1.5']
const text = (set: string): Read => ({ set })
const bool = (set: 'true' | 'false'): Read => ({ set, not: BOOL_VALUES })
const int = (set: number): Read => ({ set: String(set), not: INT_VALUES })
const DID = 'did:plc:6fcm7ff3wkzrsnh3gjbncv2f'
const appView = { PDS_BSKY_APP_VIEW_URL: 'https://view.example', PDS_BSKY_APP_VIEW_DID: DID }
const moderation = { PDS_MOD_SERVICE_URL: 'https://mod.example', PDS_MOD_SERVICE_DID: DID }
const reports = { PDS_REPORT_SERVICE_URL: 'https://report.example', PDS_REPORT_SERVICE_DID: DID }
const mail = { PDS_EMAIL_SMTP_URL: 'smtp://mail.example', PDS_EMAIL_FROM_ADDRESS: 'us@example.com' }
const moderationMail = {
  PDS_MODERATION_EMAIL_SMTP_URL: 'smtp://mail.example',
  PDS_MODERATION_EMAIL_ADDRESS: 'us@example.com',
}
const s3 = {
  PDS_BLOBSTORE_S3_BUCKET: 'bucket',
  PDS_BLOBSTORE_S3_REGION: 'us-east-1',
  PDS_BLOBSTORE_S3_ENDPOINT: 'https://s3.example',
  PDS_BLOBSTORE_S3_ACCESS_KEY_ID: 'id',
  PDS_BLOBSTORE_S3_SECRET_ACCESS_KEY: 'secret',
}
const limited = { PDS_RATE_LIMITS_ENABLED: 'true' }
const captcha = {
  PDS_HCAPTCHA_SITE_KEY: 'site',
  PDS_HCAPTCHA_SECRET_KEY: 'secret',
  PDS_HCAPTCHA_TOKEN_SALT: 'salt',
}
/** One of some variables that count together: set to something else than the others' sample. */
const oneOf = (all: Variables, set: string, not?: readonly string[]): Read => ({ set, with: all, not })

const read: Record<string, Read> = {
  PDS_HOSTNAME: {
    set: 'pds.example',
    not: [
      'https://pds.example',
      'pds.example/',
      'PDS.example',
      'pds.example:443',
      ' pds.example',
      'pds..example',
      'pds_1.example',
      '-pds.example',
      'pds.example.',
    ],
  },
  PDS_PORT: { set: '4000', not: ['-1', '70000', 'x'] },
  PDS_SERVICE_DID: { set: 'did:web:other.example', not: ['other.example', 'did:web:'] },
  PDS_SERVICE_NAME: text('A home'),
  PDS_VERSION: text('9.9.9'),
  PDS_HOME_URL: text('https://example.com'),
  PDS_LOGO_URL: text('https://example.com/logo.png'),
  PDS_PRIVACY_POLICY_URL: text('https://example.com/privacy'),
  PDS_SUPPORT_URL: text('https://example.com/help'),
  PDS_TERMS_OF_SERVICE_URL: text('https://example.com/terms'),
  PDS_CONTACT_EMAIL_ADDRESS: { set: 'help@example.com', not: ['help', 'help at example.com'] },
  PDS_BLOB_UPLOAD_LIMIT: int(1_000),
  PDS_DEV_MODE: bool('false'),
  LOG_ENABLED: bool('true'),
  LOG_LEVEL: { set: 'debug', not: ['loud'] },
  LOG_DESTINATION: text('atoll.log'),
  LOG_SYSTEMS: text('pds'),
  PDS_JWT_SECRET: text('another'),
  PDS_ADMIN_PASSWORD: text('another'),
  PDS_PLC_ROTATION_KEY_K256_PRIVATE_KEY_HEX: { set: '11'.repeat(32), not: ['11', 'zz'.repeat(32)] },
  PDS_DATA_DIRECTORY: text('/elsewhere'),
  PDS_SQLITE_DISABLE_WAL_AUTO_CHECKPOINT: bool('true'),
  PDS_BLOBSTORE_DISK_LOCATION: text('/elsewhere/blobs'),
  PDS_BLOBSTORE_DISK_TMP_LOCATION: text('/elsewhere/tmp'),
  PDS_BLOBSTORE_S3_BUCKET: oneOf(s3, 'other'),
  PDS_BLOBSTORE_S3_REGION: oneOf(s3, 'eu-central-1'),
  PDS_BLOBSTORE_S3_ENDPOINT: oneOf(s3, 'https://other.example', URL_VALUES),
  PDS_BLOBSTORE_S3_FORCE_PATH_STYLE: oneOf(s3, 'true', BOOL_VALUES),
  PDS_BLOBSTORE_S3_ACCESS_KEY_ID: oneOf(s3, 'other', ['']),
  PDS_BLOBSTORE_S3_SECRET_ACCESS_KEY: oneOf(s3, 'other', ['']),
  PDS_BLOBSTORE_S3_UPLOAD_TIMEOUT_MS: oneOf(s3, '1', INT_VALUES),
  PDS_BLOBSTORE_S3_REQUEST_TIMEOUT_MS: oneOf(s3, '2', INT_VALUES),
  PDS_ACCEPTING_REPO_IMPORTS: bool('false'),
  PDS_MAX_REPO_IMPORT_SIZE: int(1_000),
  PDS_DID_PLC_URL: { set: 'https://plc.example', not: URL_VALUES },
  PDS_DID_CACHE_STALE_TTL: int(1),
  PDS_DID_CACHE_MAX_TTL: int(2),
  PDS_ID_RESOLVER_TIMEOUT: int(3),
  PDS_RECOVERY_DID_KEY: {
    set: 'did:key:zQ3shXjHeiBuRCKmM36cuYnm7YEMzhGnCmCyW92sRJ9pribSF',
    not: ['did:plc:a'],
  },
  PDS_SERVICE_HANDLE_DOMAINS: {
    set: '.example.com,.example.org',
    not: ['example.com', '.exa mple.com', '.', '.example..com', '.https://example.com'],
  },
  PDS_HANDLE_BACKUP_NAMESERVERS: text('1.1.1.1,8.8.8.8'),
  PDS_ENABLE_DID_DOC_WITH_SESSION: bool('true'),
  PDS_INVITE_REQUIRED: bool('true'),
  PDS_INVITE_INTERVAL: int(6),
  PDS_INVITE_EPOCH: int(7),
  PDS_EMAIL_SMTP_URL: oneOf(mail, 'smtps://other.example', ['', 'https://mail.example']),
  PDS_EMAIL_FROM_ADDRESS: oneOf(mail, 'My PDS <other@example.com>', ['', 'other']),
  PDS_EMAIL_DISABLE_CONFIRMATION_LINK: bool('true'),
  PDS_MODERATION_EMAIL_SMTP_URL: oneOf(moderationMail, 'smtps://other.example', ['', 'https://mail.example']),
  PDS_MODERATION_EMAIL_ADDRESS: oneOf(moderationMail, 'other@example.com', ['']),
  PDS_REPO_BACKFILL_LIMIT_MS: int(5),
  PDS_BSKY_APP_VIEW_URL: oneOf(appView, 'https://other.example', URL_VALUES),
  PDS_BSKY_APP_VIEW_DID: oneOf(appView, 'did:web:other.example', ['', 'nonsense']),
  PDS_BSKY_APP_VIEW_CDN_URL_PATTERN: oneOf(appView, 'https://cdn.example/%s/%s/%s'),
  PDS_MOD_SERVICE_URL: oneOf(moderation, 'https://other.example', URL_VALUES),
  PDS_MOD_SERVICE_DID: oneOf(moderation, 'did:web:other.example', ['', 'nonsense']),
  PDS_REPORT_SERVICE_URL: oneOf(reports, 'https://other.example', URL_VALUES),
  PDS_REPORT_SERVICE_DID: oneOf(reports, 'did:web:other.example', ['', 'nonsense']),
  PDS_RATE_LIMITS_ENABLED: bool('true'),
  PDS_RATE_LIMIT_BYPASS_KEY: oneOf(limited, 'key'),
  PDS_RATE_LIMIT_BYPASS_IPS: oneOf(limited, '1.2.3.4/32, 5.6.7.8, ::1', ['example.com']),
  PDS_CRAWLERS: { set: 'https://relay.example, https://other.example', not: ['relay.example'] },
  PDS_DISABLE_SSRF_PROTECTION: bool('false'),
  PDS_FETCH_MAX_RESPONSE_SIZE: int(1_000),
  PDS_PROXY_ALLOW_HTTP2: bool('true'),
  PDS_PROXY_HEADERS_TIMEOUT: int(1),
  PDS_PROXY_BODY_TIMEOUT: int(2),
  PDS_PROXY_MAX_RESPONSE_SIZE: int(3),
  PDS_PROXY_MAX_RETRIES: int(4),
  PDS_PROXY_PREFER_COMPRESSED: bool('true'),
  PDS_HCAPTCHA_SITE_KEY: oneOf(captcha, 'another'),
  PDS_HCAPTCHA_SECRET_KEY: oneOf(captcha, 'another'),
  PDS_HCAPTCHA_TOKEN_SALT: oneOf(captcha, 'another'),
  PDS_OAUTH_TRUSTED_CLIENTS: text('https://app.example/client.json'),
  PDS_DPOP_SECRET: { set: '22'.repeat(32), not: ['22'] },
  PDS_LEXICON_AUTHORITY_DID: { set: DID, not: ['nonsense'] },
  PDS_PRIMARY_COLOR: text('#123456'),
  PDS_ERROR_COLOR: text('#123456'),
  PDS_WARNING_COLOR: text('#123456'),
  PDS_INFO_COLOR: text('#123456'),
  PDS_SUCCESS_COLOR: text('#123456'),
  PDS_BACKGROUND_LIGHT_URL: text('https://example.com/light.png'),
  PDS_BACKGROUND_DARK_URL: text('https://example.com/dark.png'),
}

/** Our own. */
const own: Record<string, Read> = {
  LOG_FORMAT: { set: 'json', not: ['xml'] },
  PDS_DISK_FREE_MIN_BYTES: int(1_000),
  PDS_PASSWORD_LENGTH_MIN: { set: '12', not: ['0', '129', ...INT_VALUES] },
  PDS_ACCOUNT_DELETE_DELAY_DAYS: { set: '7', not: ['0', '4000', ...INT_VALUES] },
  PDS_UNACTIVATED_KEEP_DAYS: { set: '7', not: ['0', '4000', ...INT_VALUES] },
  PDS_UNACTIVATED_ACCOUNTS_MAX: int(3),
  PDS_UNACTIVATED_ACCOUNTS_PER_NETWORK_MAX: int(3),
  PDS_UNACTIVATED_BYTES_MAX: int(1_000),
  PDS_UNACTIVATED_BYTES_PER_NETWORK_MAX: int(1_000),
  ...Object.fromEntries(
    [
      'REQUESTS',
      'SYNC_REQUESTS',
      'DOWNLOADS',
      'WRITES_HOURLY',
      'WRITES_DAILY',
      'UPLOADS_DAILY',
      'HANDLES',
      'HANDLES_DAILY',
      'SIGN_UPS',
      'SIGN_INS',
      'SIGN_INS_DAILY',
      'NETWORK_SIGN_INS',
      'ACCOUNT_SIGN_INS_HOURLY',
      'CODES',
      'PASSWORD_RESETS_HOURLY',
      'PASSWORD_RESETS_DAILY',
      'MAILS_HOURLY',
      'MAILS_DAILY',
    ].map((name) => [`PDS_RATE_LIMIT_${name}`, { ...int(7), with: limited }]),
  ),
  ...Object.fromEntries(
    ['EXPORTS', 'BLOB_DOWNLOADS', 'UPLOADS', 'IMPORTS', 'SUBSCRIBERS'].flatMap((name) => [
      [`PDS_${name}_MAX`, { set: '7', not: [...INT_VALUES, '0'] }],
      [`PDS_${name}_NETWORK_MAX`, { set: '7', not: [...INT_VALUES, '0'] }],
    ]),
  ),
}

/** Those that stand for something that there is not. */
const refused = ['PDS_ENTRYWAY_URL', 'PDS_PLC_ROTATION_KEY_KMS_KEY_ID']

/**
 * Those that are without effect: where the reference's databases lie, and what is done otherwise.
 */
const warnedOf = [
  'PDS_ACCOUNT_DB_LOCATION',
  'PDS_SEQUENCER_DB_LOCATION',
  'PDS_DID_CACHE_DB_LOCATION',
  'PDS_ACTOR_STORE_DIRECTORY',
  'PDS_ACTOR_STORE_CACHE_SIZE',
  'PDS_MAX_SUBSCRIPTION_BUFFER',
  'PDS_REDIS_SCRATCH_ADDRESS',
  'PDS_REDIS_SCRATCH_PASSWORD',
  'PDS_ENTRYWAY_DID',
  'PDS_ENTRYWAY_JWT_VERIFY_KEY_K256_PUBLIC_KEY_HEX',
  'PDS_ENTRYWAY_PLC_ROTATION_KEY',
  'PDS_ENTRYWAY_ADMIN_TOKEN',
]

const base = pdsEnv('http://localhost:1', '/data', 3000)
const configOf = (variables: Variables): Config => readConfig({ ...base, ...variables })

function faultsOf(variables: Variables): string[] {
  try {
    configOf(variables)
  } catch (error) {
    if (error instanceof ConfigError) return error.faults.map(({ name }) => name)
    throw error
  }
  return []
}

describe.each(Object.entries({ ...read, ...own }))('%s', (name, { set, with: others = {}, not = [] }) => {
  test('is read', () => {
    const config = configOf({ ...others, [name]: set })
    expect(config).not.toEqual(configOf(others))
    expect(config.warnings).toEqual([])
  })

  test.each(not)('is not %j', (value) => {
    expect(faultsOf({ ...others, [name]: value })).toEqual([name])
  })
})

test.each(refused)('%s is refused', (name) => {
  expect(faultsOf({ [name]: 'https://example.com' })).toEqual([name])
})

test.each(warnedOf)('%s is warned of', (name) => {
  expect(configOf({ [name]: 'something' }).warnings).toEqual([{ name, message: expect.any(String) }])
  expect({ ...configOf({ [name]: 'something' }), warnings: [] }).toEqual(configOf({}))
})

test('what guards a public host cannot be guessed, and what people choose has eight characters', () => {
  const open = { PDS_HOSTNAME: 'pds.example', PDS_DEV_MODE: 'false' }
  const weak = { PDS_JWT_SECRET: 'x'.repeat(15), PDS_ADMIN_PASSWORD: 'x' }
  expect(faultsOf({ ...open, ...weak })).toEqual(Object.keys(weak))
  expect(faultsOf({ ...open, PDS_JWT_SECRET: 'x'.repeat(16) })).toEqual([])
  expect(configOf(open).accounts.passwordCharactersMin).toBe(8)
  for (const own of [{ PDS_HOSTNAME: 'localhost' }, { PDS_DEV_MODE: 'true' }]) {
    expect(faultsOf({ ...open, ...weak, ...own })).toEqual([])
    expect(configOf({ ...open, ...own }).accounts.passwordCharactersMin).toBe(1)
  }
})

test('a blob may be as large as a video', () => {
  expect(configOf({}).blobs.bytesMax).toBe(100 * 1024 * 1024)
})

test('reports go to the moderation service where no other is named', () => {
  expect(configOf(moderation).services.reports).toEqual({ url: 'https://mod.example', did: DID })
  expect(configOf({ ...moderation, ...reports }).services.reports).toMatchObject({
    url: 'https://report.example',
  })
})

test('requests are limited on a public host, unless the operator says otherwise', () => {
  const isLimited = (variables: Variables) => configOf(variables).rateLimits !== undefined
  expect(isLimited({})).toBe(false)
  expect(isLimited({ PDS_HOSTNAME: 'pds.example' })).toBe(true)
  expect(isLimited({ PDS_HOSTNAME: 'pds.example', PDS_RATE_LIMITS_ENABLED: 'false' })).toBe(false)
})

test('no variable of @atproto/pds is forgotten', () => {
  const reader = path.join(path.dirname(fileURLToPath(import.meta.resolve('@atproto/pds'))), 'config/env.js')
  const named = new Set(
    [...readFileSync(reader, 'utf8').matchAll(/'(PDS_[A-Z0-9_]+)'/g)].map(([, name]) => name as string),
  )
  expect(named.size).toBeGreaterThan(90)
  // Its logger reads variables of its own.
  const known = new Set(
    [...Object.keys(read), ...refused, ...warnedOf].filter((name) => name.startsWith('PDS_')),
  )
  expect([...named.difference(known)]).toEqual([])
  expect([...known.difference(named)]).toEqual([])
})
