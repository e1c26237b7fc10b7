/**
 * The secret that signing keys are encrypted under: checked at every start, rotated on demand.
 *
 * The database holds the secret's fingerprint, so that a lost or wrong file is reported at start
 * and not at the first write, and no new secret is created in its place. A rotation writes the new
 * secret beside the old one before any key is encrypted under it: wherever it is interrupted, one
 * of the two files fits the database.
 */
import { createHmac } from 'node:crypto'
import { renameSync } from 'node:fs'
import { keyedDigest, seal, unseal } from '#platform/sealing.ts'
import type { Tx } from '#platform/sqlite.ts'
import type { Store } from '../../store/store.ts'
import { loadKeySecret, moveKeySecret, newKeySecret, readKeySecret, writeKeySecret } from './secret-file.ts'

/** The file does not hold the secret that the signing keys are encrypted under. */
export class KeySecretError extends Error {
  override name = 'KeySecretError'
  constructor(path: string, found: boolean) {
    super(
      `${path} ${found ? 'is not the secret' : 'is missing: it holds the secret'} that the signing keys in the database ` +
        'are encrypted under. Put back the file that belongs to this database.',
    )
  }
}

/** The secret's file inside the data folder. */
export const KEY_SECRET_FILE = 'signing-keys.secret'

const FINGERPRINT_BYTES = 16
/** Before what is sealed in a column of texts. */
const SEALED = 'sealed:'
const KEYS_PAGE = 1_000
/** Rows that one transaction seals. */
const SEALED_MAX = 500

/**
 * The secret of the store's signing keys; a store without one gets one. Ends an exchange that was
 * interrupted, and seals under the secret what an earlier version left in the clear.
 * @param path the secret's file
 * @throws KeySecretError
 */
export async function openKeySecret(store: Store, path: string): Promise<Buffer> {
  const secret = await findKeySecret(store, path)
  while (await store.db.write((tx) => sealSome(tx, store, secret)));
  return secret
}

/** @returns whether there may be more */
function sealSome(tx: Tx, { devices, emailTokens }: Store, secret: Buffer): boolean {
  const browsers = devices.unsealed(SEALED_MAX)
  for (const { id, sessionId } of browsers) devices.setSession(tx, id, sealSession(secret, sessionId))
  const codes = emailTokens.unkeyed(SEALED_MAX)
  for (const code of codes) emailTokens.setHash(tx, code, mailedCodeHash(secret, code.codeHash))
  return browsers.length === SEALED_MAX || codes.length === SEALED_MAX
}

/** A browser's session id as it is kept. */
export const sealSession = (secret: Buffer, sessionId: string): string =>
  SEALED + seal(secret, Buffer.from(sessionId)).toString('base64url')

/** The session id that was sealed. @throws SealError */
export const unsealSession = (secret: Buffer, sealed: string): string =>
  unseal(secret, Buffer.from(sealed.slice(SEALED.length), 'base64url')).toString()

/** A mailed code as it is kept: 33 bytes, where an earlier version kept its SHA-256. */
export const mailedCodeHash = (secret: Buffer, digest: Uint8Array): Buffer =>
  Buffer.concat([Buffer.of(1), keyedDigest(secret, digest)])

async function findKeySecret(store: Store, path: string): Promise<Buffer> {
  const known = store.keySecrets.fingerprint()
  if (known === undefined) {
    const secret = loadKeySecret(path)
    await store.db.write((tx) => store.keySecrets.setFingerprint(tx, fingerprint(secret)))
    return secret
  }
  const secret = readKeySecret(path)
  if (secret !== undefined && fingerprint(secret).equals(known)) return secret
  const next = readKeySecret(nextOf(path))
  if (next === undefined || !fingerprint(next).equals(known))
    throw new KeySecretError(path, secret !== undefined)
  if (secret === undefined) moveKeySecret(nextOf(path), path)
  else install(path)
  return next
}

/**
 * Reencrypts every signing key, and whatever else the secret protects, under a new secret, in one
 * transaction, for a store that is not otherwise in use. The old secret's file is kept under
 * another name, because earlier backups need it.
 * @param path the secret's file
 * @returns the number of keys, and the path of the old secret
 * @throws KeySecretError
 */
export async function exchangeKeySecret(store: Store, path: string): Promise<{ keys: number; old: string }> {
  const secret = await openKeySecret(store, path)
  const next = newKeySecret()
  writeKeySecret(nextOf(path), next)
  const renewed = (encrypted: Buffer): Buffer => seal(next, unseal(secret, encrypted))
  const keys = await store.db.write((tx) => {
    let count = 0
    for (const page of pagesOf((after) => store.credentials.signingKeys(after, KEYS_PAGE), 0, 'id')) {
      for (const { id, signingKey } of page) store.credentials.setSigningKey(tx, id, renewed(signingKey))
      count += page.length
    }
    for (const { name, signingKey } of store.reservedKeys.all())
      store.reservedKeys.set(tx, name, renewed(signingKey))
    const factors = store.secondFactors
    for (const page of pagesOf((after) => factors.authenticators(after, KEYS_PAGE), 0, 'account')) {
      for (const { account, secret } of page) factors.setSecret(tx, account, renewed(secret))
    }
    for (const page of pagesOf((after) => store.devices.sessions(after, KEYS_PAGE), '', 'id')) {
      for (const { id, sessionId } of page)
        store.devices.setSession(tx, id, sealSession(next, unsealSession(secret, sessionId)))
    }
    // Their codes are not here to be hashed under another key; they hold for minutes, and people
    // ask for new ones.
    store.emailTokens.deleteOfAll(tx)
    store.keySecrets.setFingerprint(tx, fingerprint(next))
    return count
  })
  return { keys, old: install(path) }
}

/** All rows, a page at a time, in the order of a column. */
function* pagesOf<C extends string, K, R extends Record<C, K>>(
  read: (after: K) => R[],
  first: K,
  column: C,
): Generator<R[]> {
  for (let page = read(first); page.length > 0; page = read(page.at(-1)![column])) yield page
}

/** Puts the next secret in the place of the present one. @returns where that lies now */
function install(path: string): string {
  const old = `${path}.until-${new Date().toISOString().replaceAll(':', '-')}`
  renameSync(path, old)
  moveKeySecret(nextOf(path), path)
  return old
}

const nextOf = (path: string): string => `${path}.next`

/** Identifies a secret without revealing it. */
function fingerprint(secret: Buffer): Buffer {
  return createHmac('sha256', secret)
    .update('fingerprint of the secret of the signing keys')
    .digest()
    .subarray(0, FINGERPRINT_BYTES)
}
