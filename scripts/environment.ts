/**
 * The environment of the services on a developer's machine: what `npm start` and its parts add to
 * the variables that are set.
 *
 * A variable that is set always wins. The PDS's secrets are made once and kept beside its data,
 * readable by their owner only: with other secrets its sessions end and it can no longer change the
 * identities it made. An environment that names a public host (PDS_HOSTNAME, FEEDGEN_HOSTNAME) was
 * written for a real server, and nothing is added to it.
 */
import { randomBytes } from 'node:crypto'
import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { parseEnv } from 'node:util'
import { CommandError } from './command.ts'

/** The file of secrets inside the PDS's data folder. */
const SECRETS_FILE = 'pds.env'

export interface ServiceSettings {
  port: number
  dataDirectory: string
}

export type Environment = Record<string, string | undefined>

/** Where the PLC directory of this machine answers and keeps its data. */
export function plcSettings(env: Environment): ServiceSettings {
  return { port: portOf(env, 'PLC_PORT', 2582), dataDirectory: env.PLC_DATA_DIRECTORY || './data/plc' }
}

/** Where the PDS answers and keeps its data. */
export function pdsSettings(env: Environment): ServiceSettings {
  return { port: portOf(env, 'PDS_PORT', 2583), dataDirectory: env.PDS_DATA_DIRECTORY || './data/pds' }
}

/** Where the feed generator answers and keeps its data. */
export function feedgenSettings(env: Environment): ServiceSettings {
  return {
    port: portOf(env, 'FEEDGEN_PORT', 3000),
    dataDirectory: env.FEEDGEN_DATA_DIRECTORY || './data/feedgen',
  }
}

/** The PLC directory that the PDS and the feed generator use. */
export function plcUrl(env: Environment): string {
  return env.PDS_DID_PLC_URL || `http://localhost:${plcSettings(env).port}`
}

/** Where the PDS answers, without a slash at the end. */
export function pdsUrl(env: Environment): string {
  return isPublic(env.PDS_HOSTNAME)
    ? `https://${env.PDS_HOSTNAME}`
    : `http://localhost:${pdsSettings(env).port}`
}

/**
 * `env` and what the PDS needs besides to run for this machine alone. Makes its data folder and its
 * secrets if they are missing.
 */
export function pdsEnvironment(env: Environment): Environment {
  if (isPublic(env.PDS_HOSTNAME)) return env
  const { port, dataDirectory } = pdsSettings(env)
  const development = {
    PDS_DEV_MODE: 'true',
    PDS_HOSTNAME: 'localhost',
    PDS_PORT: String(port),
    PDS_DATA_DIRECTORY: dataDirectory,
    PDS_BLOBSTORE_DISK_LOCATION: path.join(dataDirectory, 'blocks'),
    PDS_DID_PLC_URL: plcUrl(env),
    PDS_SERVICE_HANDLE_DOMAINS: '.test',
    PDS_INVITE_REQUIRED: 'false',
    PDS_DISABLE_SSRF_PROTECTION: 'true',
  }
  return { ...development, ...secrets(dataDirectory), ...withoutEmpty(env) }
}

/** `env` and what the feed generator needs besides to follow the PDS beside it. */
export function feedgenEnvironment(env: Environment): Environment {
  if (isPublic(env.FEEDGEN_HOSTNAME)) return env
  const { port, dataDirectory } = feedgenSettings(env)
  const development = {
    FEEDGEN_PORT: String(port),
    FEEDGEN_DATA_DIRECTORY: dataDirectory,
    FEEDGEN_SUBSCRIPTION_ENDPOINT: `ws://localhost:${pdsSettings(env).port}`,
    PDS_DID_PLC_URL: plcUrl(env),
  }
  return { ...development, ...withoutEmpty(env) }
}

/**
 * The secrets kept in the folder, made if there are none. Two processes that make them at once end
 * with the same ones.
 */
function secrets(folder: string): Environment {
  mkdirSync(folder, { recursive: true })
  const file = path.join(folder, SECRETS_FILE)
  const text = readIfThere(file)
  if (text !== undefined) return parseEnv(text)
  const mine = `${file}.${process.pid}`
  writeFileSync(mine, makeSecrets(), { mode: 0o600 })
  try {
    linkSync(mine, file)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  } finally {
    rmSync(mine)
  }
  return parseEnv(readFileSync(file, 'utf8'))
}

function makeSecrets(): string {
  const hex = (bytes: number) => randomBytes(bytes).toString('hex')
  return [
    '# Made on the first start, for development on this machine. Without these the accounts here cannot be used.',
    `PDS_JWT_SECRET=${hex(16)}`,
    `PDS_ADMIN_PASSWORD=${hex(16)}`,
    // Any 32 bytes but one in 2^128 are a K-256 key.
    `PDS_PLC_ROTATION_KEY_K256_PRIVATE_KEY_HEX=${hex(32)}`,
    '',
  ].join('\n')
}

function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    return undefined
  }
}

function isPublic(hostname: string | undefined): boolean {
  return hostname !== undefined && !['', 'localhost', '127.0.0.1'].includes(hostname.replace(/:\d+$/, ''))
}

function withoutEmpty(env: Environment): Environment {
  return Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined && value !== ''))
}

function portOf(env: Environment, name: string, preset: number): number {
  const text = env[name]
  if (text === undefined || text === '') return preset
  const port = Number(text)
  if (!Number.isInteger(port) || port < 0 || port > 65535)
    throw new CommandError(`${name} is not a port: ${text}`)
  return port
}
