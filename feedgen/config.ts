/**
 * The feed generator's configuration: the only reader of the environment here, under the variable
 * names of the official kit (`FEEDGEN_*`) and, for the PLC directory, the one it shares with the
 * PDS.
 */
import path from 'node:path'
import { isValidDid } from '@atproto/syntax'
import { type Env, readEnv, ValueError } from '#platform/env.ts'
import { type LogSettings, readLogSettings } from '#platform/log.ts'

export interface FeedgenConfig {
  /** 0 lets the system choose one. */
  port: number
  /** The address to listen on. */
  listenHost: string
  /** Where the public reaches this service: `https://feeds.example.com`. */
  origin: string
  /** The DID in the feeds' records, and the audience of service tokens. */
  serviceDid: string
  /** Whose feeds are served. Without it: those of everyone whose feed records name `serviceDid`. */
  publisherDid?: string
  /** Who else may have feeds here, by definitions in their repositories. */
  publishers: Publishers
  /** Points that a definition may cost. */
  definitionCostMax: number
  /** How long one evaluation may take; a backtest four times as long. */
  evaluationMsMax: number
  /** URLs of what is followed: of `subscribeRepos`, or of Jetstream. */
  endpoints: string[]
  /** Those of `endpoints` that are trusted to have verified what they send. */
  trustedEndpoints: string[]
  /** DIDs of the labelers whose labels are followed. */
  labelers: string[]
  /**
   * The AppView that is asked how old authors' accounts are and how many followers they have, and
   * after how long again.
   */
  appview?: AppviewConfig
  /** Fetch from the servers of accounts what no stream brings. */
  backfill: boolean
  /**
   * Where to begin at an endpoint that was never followed, or that no longer knows our cursor: at
   * the oldest event it keeps, or now.
   */
  start: 'oldest' | 'live'
  /** The wait before the first attempt to connect again; it doubles from there. */
  reconnectDelayMs: number
  /** The folder that this process has for itself. */
  dataDirectory: string
  /** The index: a file, or `:memory:`. */
  sqliteLocation: string
  /** The index in PostgreSQL instead, which several processes may share. */
  databaseUrl?: string
  /** undefined: requests are not limited, but for what makes lists. */
  rateLimits?: RateLimitsConfig
  /** How long posts are kept that no feed has. */
  retentionHours: number
  /** The PLC directory. */
  plcUrl: string
  /** Let DID documents come over http and from private addresses. */
  devMode: boolean
  log: LogSettings
}

export interface AppviewConfig {
  url: string
  refreshHours: number
}

export interface RateLimitsConfig {
  /** Requests of one network in five minutes. */
  requestsIn5Minutes: number
  /** Those for pages of feeds, which come from an AppView for all who read there. */
  feedRequestsIn5Minutes: number
  /** Addresses that are not limited, and whose `X-Forwarded-For` is believed. */
  bypassIps: string[]
}

/** Nobody, anybody, or accounts by their DIDs and by the hosts of their servers. */
export type Publishers = 'none' | 'anyone' | { dids: string[]; hosts: string[] }

/**
 * Reads the configuration.
 * @throws ConfigError naming every variable at fault
 */
export function readConfig(variables: Record<string, string | undefined> = process.env): FeedgenConfig {
  return readEnv(variables, (env) => {
    const port = env.port('FEEDGEN_PORT', 3000)
    const hostname = env.parse('FEEDGEN_HOSTNAME', parseHostname, 'localhost', 'localhost')
    const local = isLocal(hostname)
    const host = local && !hostname.includes(':') ? `${hostname}:${port}` : hostname
    const endpoints = env.parse(
      'FEEDGEN_SUBSCRIPTION_ENDPOINT',
      parseEndpoints,
      parseEndpoints('ws://localhost:2583'),
      [],
    )
    const dataDirectory = env.string('FEEDGEN_DATA_DIRECTORY', './data/feedgen')
    return {
      port,
      listenHost: env.string('FEEDGEN_LISTENHOST', '127.0.0.1'),
      origin: `${local ? 'http' : 'https'}://${host}`,
      serviceDid: did(env, 'FEEDGEN_SERVICE_DID') ?? `did:web:${host.replace(':', '%3A')}`,
      publisherDid: did(env, 'FEEDGEN_PUBLISHER_DID'),
      publishers: env.parse('FEEDGEN_PUBLISHERS', parsePublishers, local ? 'anyone' : 'none', 'none'),
      definitionCostMax: env.int('FEEDGEN_DEFINITION_COST_MAX', 500, { min: 0 }),
      evaluationMsMax: env.int('FEEDGEN_EVALUATION_MS_MAX', 5_000, { min: 1, max: 600_000 }),
      endpoints,
      trustedEndpoints: trusted(env, endpoints),
      labelers: env.parse('FEEDGEN_LABELERS', parseDids, [], []),
      appview: appview(env, variables),
      backfill: env.bool('FEEDGEN_BACKFILL', true),
      start: env.oneOf('FEEDGEN_SUBSCRIPTION_START', ['oldest', 'live'], 'oldest'),
      reconnectDelayMs: env.duration('FEEDGEN_SUBSCRIPTION_RECONNECT_DELAY', 500),
      dataDirectory,
      sqliteLocation: env.string('FEEDGEN_SQLITE_LOCATION', path.join(dataDirectory, 'feedgen.sqlite')),
      databaseUrl: env.parse('FEEDGEN_DATABASE_URL', parseDatabaseUrl, undefined, ''),
      rateLimits: rateLimits(env, !local),
      retentionHours: env.int('FEEDGEN_RETENTION_HOURS', 7 * 24),
      plcUrl: env.url('PDS_DID_PLC_URL', local ? 'http://localhost:2582' : 'https://plc.directory'),
      devMode: env.bool('FEEDGEN_DEV_MODE', local),
      log: readLogSettings(env),
    }
  })
}

/** What is not asked for again for twice as long is forgotten. */
const APPVIEW_REFRESH_HOURS_MAX = 30 * 24

/**
 * @param isPublic whether strangers come here: then requests are limited unless the operator says
 * otherwise
 */
function rateLimits(env: Env, isPublic: boolean): RateLimitsConfig | undefined {
  const limits = {
    requestsIn5Minutes: env.int('FEEDGEN_RATE_LIMIT_REQUESTS', 3_000, { min: 1 }),
    feedRequestsIn5Minutes: env.int('FEEDGEN_RATE_LIMIT_FEED_REQUESTS', 60_000, { min: 1 }),
    bypassIps: env.addresses('FEEDGEN_RATE_LIMIT_BYPASS_IPS'),
  }
  return env.bool('FEEDGEN_RATE_LIMITS_ENABLED', isPublic) ? limits : undefined
}

/** An empty URL is none, and one that is not set the AppView of Bluesky. */
function appview(env: Env, { FEEDGEN_APPVIEW_URL: url }: Record<string, string | undefined>) {
  const found = {
    url: env.url('FEEDGEN_APPVIEW_URL', 'https://public.api.bsky.app'),
    refreshHours: env.int('FEEDGEN_APPVIEW_REFRESH_HOURS', 24, { min: 1, max: APPVIEW_REFRESH_HOURS_MAX }),
  }
  return url === '' ? undefined : found
}

function did(env: Env, name: string): string | undefined {
  const parse = (text: string): string => {
    if (isValidDid(text)) return text
    throw new ValueError('must be a DID, such as did:plc:... or did:web:...')
  }
  return env.parse(name, parse, undefined, '')
}

function parseDids(text: string): string[] {
  const dids = text.split(',').flatMap((word) => word.trim() || [])
  if (dids.every(isValidDid)) return [...new Set(dids)]
  throw new ValueError('must be a list of DIDs, such as did:plc:...')
}

/** `none`, `anyone`, or a list of DIDs and of servers' host names. */
function parsePublishers(text: string): Publishers {
  const words = text.split(',').flatMap((word) => word.trim() || [])
  const [only] = words
  if (words.length === 1 && (only === 'none' || only === 'anyone')) return only
  const dids = words.filter((word) => word.startsWith('did:'))
  const hosts = words.filter((word) => !word.startsWith('did:')).map((host) => host.toLowerCase())
  if (words.length > 0 && dids.every(isValidDid) && hosts.every((host) => /^[a-z0-9.-]+(:\d+)?$/.test(host)))
    return { dids, hosts }
  throw new ValueError('must be `none`, `anyone`, or a list of DIDs and of the host names of servers')
}

function trusted(env: Env, endpoints: readonly string[]): string[] {
  const parse = (text: string): string[] => {
    const named = parseEndpoints(text)
    if (named.every((endpoint) => endpoints.includes(endpoint))) return named
    throw new ValueError('must be a list of hosts that FEEDGEN_SUBSCRIPTION_ENDPOINT names too')
  }
  return env.parse('FEEDGEN_TRUSTED_ENDPOINTS', parse, [], [])
}

function parseDatabaseUrl(text: string): string {
  if (/^postgres(ql)?:\/\//.test(text) && URL.canParse(text)) return text
  throw new ValueError('must be a URL that starts with postgres://')
}

function parseHostname(text: string): string {
  if (/^[a-z0-9.-]+(:\d+)?$/i.test(text)) return text.toLowerCase()
  throw new ValueError('must be a host name, without https:// and without a path')
}

function isLocal(hostname: string): boolean {
  return ['localhost', '127.0.0.1'].includes(hostname.replace(/:\d+$/, ''))
}

const REPOS_PATH = '/xrpc/com.atproto.sync.subscribeRepos'
const JETSTREAM_PATH = '/subscribe'
/** Hosts that say by their name what they serve. */
const JETSTREAM_HOST = /^jetstream\d*\./

function parseEndpoints(text: string): string[] {
  const endpoints = text.split(',').flatMap((word) => (word.trim() === '' ? [] : parseEndpoint(word.trim())))
  if (endpoints.length === 0) throw new ValueError('must name at least one host to follow')
  return [...new Set(endpoints)]
}

/**
 * The URL of a stream, written in full, or as its host: `bsky.network`, `https://bsky.network`,
 * `jetstream2.us-west.bsky.network`.
 */
function parseEndpoint(text: string): string {
  const scheme = isLocal(text) ? 'ws' : 'wss'
  const url = URL.parse(/^\w+:\/\//.test(text) ? text.replace(/^http/, 'ws') : `${scheme}://${text}`)
  if (!url || !['ws:', 'wss:'].includes(url.protocol) || url.search || url.hash) {
    throw new ValueError(
      'must be a list of hosts, or of URLs that start with ws://, wss://, http:// or https://',
    )
  }
  if (url.pathname === '/') url.pathname = JETSTREAM_HOST.test(url.hostname) ? JETSTREAM_PATH : REPOS_PATH
  return url.href
}
