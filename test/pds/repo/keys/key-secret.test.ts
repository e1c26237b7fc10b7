/**
 * Which secret the signing keys are under: checked at start, and exchanged, interrupted anywhere.
 */
import { execFile } from 'node:child_process'
import { copyFileSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { promisify } from 'node:util'
import { AtpAgent } from '@atproto/api'
import { describe, expect, it } from 'vitest'
import { lockDataDirectory } from '#platform/data-lock.ts'
import {
  exchangeKeySecret,
  KEY_SECRET_FILE,
  KeySecretError,
  openKeySecret,
} from '../../../../pds/repo/keys/key-secret.ts'
import { ReservedKeys } from '../../../../pds/repo/keys/reserved-keys.ts'
import { SigningKeys } from '../../../../pds/repo/keys/signing-keys.ts'
import { createUser, PASSWORD, startPds } from '../../../support/pds.ts'
import { startPlc } from '../../../support/plc.ts'
import { cleanEnvironment, root } from '../../../support/processes.ts'
import { openRepos, testFolder } from '../support.ts'

/** A store with an account and a reserved key under a secret of its own. */
async function withKeys() {
  const folder = testFolder()
  const file = path.join(folder, 'keys.secret')
  const repos = openRepos(folder)
  await openKeySecret(repos.store, file)
  const { id, key } = await repos.createRepo()
  const reserved = await new ReservedKeys(repos.store, repos.keys).reserve('did:web:somebody.example')
  const keysUnder = (secret: Buffer) => {
    const keys = new SigningKeys(repos.store.credentials, secret)
    return [keys.of(id).did, new ReservedKeys(repos.store, keys).for('did:web:somebody.example').key.did]
  }
  return { folder, file, repos, dids: [key.did, reserved], keysUnder }
}

describe('the secret of the signing keys', () => {
  it('is exchanged, and the keys stay what they are', async () => {
    const { folder, file, repos, dids, keysUnder } = await withKeys()
    const before = readFileSync(file, 'utf8')
    const { keys, old } = await exchangeKeySecret(repos.store, file)
    expect(keys).toBe(1)
    expect(readFileSync(old, 'utf8')).toBe(before)
    const secret = await openKeySecret(repos.store, file)
    expect(secret.toString('hex')).not.toBe(before.trim())
    expect(keysUnder(secret)).toEqual(dids)
    expect(() => keysUnder(Buffer.from(before.trim(), 'hex'))).toThrow('does not open')
    await exchangeKeySecret(repos.store, file)
    expect(keysUnder(await openKeySecret(repos.store, file))).toEqual(dids)
    expect(readdirSync(folder).filter((name) => name.includes('.until-'))).toHaveLength(2)
  })

  it('is missed, or taken for wrong, by name; none is made in its place', async () => {
    const { file, repos } = await withKeys()
    const right = readFileSync(file)
    rmSync(file)
    await expect(openKeySecret(repos.store, file)).rejects.toThrow(KeySecretError)
    await expect(openKeySecret(repos.store, file)).rejects.toThrow('is missing')
    expect(() => readFileSync(file)).toThrow('ENOENT')
    writeFileSync(file, `${'0f'.repeat(32)}\n`)
    await expect(openKeySecret(repos.store, file)).rejects.toThrow('is not the secret')
    writeFileSync(file, right)
    await openKeySecret(repos.store, file)
  })

  it('is one of the two, wherever an exchange was cut off', async () => {
    const { folder, file, repos, dids, keysUnder } = await withKeys()
    const old = path.join(folder, 'kept.old')
    copyFileSync(file, old)
    // Cut off before the keys were encrypted: the new secret lies beside the old one, and is
    // nobody's.
    writeFileSync(`${file}.next`, `${'0f'.repeat(32)}\n`)
    expect(keysUnder(await openKeySecret(repos.store, file))).toEqual(dids)
    await exchangeKeySecret(repos.store, file)
    const [next, after] = [`${file}.next`, path.join(folder, 'kept.new')]
    copyFileSync(file, after)
    // Cut off when they were: the old one is still in its place.
    renameSync(file, next)
    copyFileSync(old, file)
    expect(keysUnder(await openKeySecret(repos.store, file))).toEqual(dids)
    expect(readFileSync(file)).toEqual(readFileSync(after))
    // Cut off when the old one was out of the way.
    renameSync(file, next)
    expect(keysUnder(await openKeySecret(repos.store, file))).toEqual(dids)
    expect(readFileSync(file)).toEqual(readFileSync(after))
  })
})

it('npm run keys:reencrypt leaves a PDS that writes as before, and does not touch one that runs', async () => {
  const folder = testFolder()
  await using plc = await startPlc()
  const reencrypt = () =>
    promisify(execFile)(process.execPath, ['scripts/reencrypt-keys.ts'], {
      cwd: root,
      env: { ...cleanEnvironment(), PDS_DATA_DIRECTORY: folder },
    })
  await expect(reencrypt()).rejects.toThrow("There is no PDS's data")
  const file = path.join(folder, KEY_SECRET_FILE)
  let user: Awaited<ReturnType<typeof createUser>>
  {
    await using pds = await startPds({ plcUrl: plc.url, folder })
    user = await createUser(pds, 'writer')
    await user.agent.post({ text: 'before' })
  }
  const before = readFileSync(file, 'utf8')
  {
    using _running = lockDataDirectory(folder, 'A PDS')
    await expect(reencrypt()).rejects.toThrow('is running already')
    expect(readFileSync(file, 'utf8')).toBe(before)
  }
  expect((await reencrypt()).stdout).toContain('1 signing keys are encrypted under a new secret')
  expect(readFileSync(file, 'utf8')).not.toBe(before)
  await using pds = await startPds({ plcUrl: plc.url, folder })
  const agent = new AtpAgent({ service: pds.url })
  await agent.login({ identifier: user.handle, password: PASSWORD })
  await agent.post({ text: 'after' })
  expect((await agent.com.atproto.server.getServiceAuth({ aud: 'did:web:x.example' })).success).toBe(true)
})
