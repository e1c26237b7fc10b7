import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { verifySignature } from '#protocol/keys.ts'
import { loadKeySecret } from '../../../../pds/repo/keys/secret-file.ts'
import { SigningKeys } from '../../../../pds/repo/keys/signing-keys.ts'
import { create, openRepos, testFolder } from '../support.ts'

describe('signing keys', () => {
  it('are nowhere in the clear', async () => {
    const folder = testFolder()
    const repos = openRepos(folder)
    const { key, id } = await repos.createRepo()
    const secret = Buffer.from(key.export())
    expect(repos.keys.of(id).export()).toEqual(key.export())
    repos.close()
    const files = readdirSync(folder).map((name) => readFileSync(path.join(folder, name)))
    expect(files.length).toBeGreaterThan(1)
    for (const bytes of files) {
      expect(bytes.includes(secret)).toBe(false)
      expect(bytes.toString('latin1').toLowerCase()).not.toContain(secret.toString('hex'))
      expect(bytes.toString('latin1')).not.toContain(secret.toString('base64'))
    }
  })

  it('are the same after a restart', async () => {
    const folder = testFolder()
    const before = openRepos(folder)
    const { key, id } = await before.createRepo()
    before.close()
    const again = openRepos(folder).keys.of(id)
    expect(again.did).toBe(key.did)
    const message = Buffer.from('message')
    expect(verifySignature(key.did, message, again.sign(message))).toBe(true)
  })

  it('are encrypted differently each time', () => {
    const { keys } = openRepos()
    const [one, other] = [keys.generate(), keys.generate()]
    expect(one.key.did).not.toBe(other.key.did)
    expect(one.encrypted.subarray(0, 12).equals(other.encrypted.subarray(0, 12))).toBe(false)
  })

  it('do not decrypt under another secret, or when they were changed', async () => {
    const folder = testFolder()
    const before = openRepos(folder)
    const owner = await before.createRepo()
    before.close()
    rmSync(path.join(folder, 'keys.secret'))
    const after = openRepos(folder)
    await expect(after.writer.write(owner, [create('a')])).rejects.toThrow(
      'the key is not the one it was sealed under',
    )
    const encrypted = before.keys.generate().encrypted
    encrypted[encrypted.length - 1]! ^= 1
    const keys = new SigningKeys({ signingKey: () => encrypted } as never, Buffer.alloc(32))
    expect(() => keys.of(1)).toThrow('does not open')
  })

  it('are missed by name', () => {
    expect(() => openRepos().keys.of(7)).toThrow('no signing key for account 7')
  })
})

describe('the secret', () => {
  it('is made once, for its owner only', () => {
    const file = path.join(testFolder(), 'a.secret')
    const secret = loadKeySecret(file)
    expect(secret).toHaveLength(32)
    expect(statSync(file).mode & 0o777).toBe(0o600)
    expect(loadKeySecret(file).equals(secret)).toBe(true)
  })

  it.each(['', 'abc', 'x'.repeat(64), '00'.repeat(31)])(
    'is refused when the file holds something else: "%s"',
    (text) => {
      const file = path.join(testFolder(), 'a.secret')
      writeFileSync(file, text)
      expect(() => loadKeySecret(file)).toThrow('does not hold 32 bytes in hexadecimal')
      expect(readFileSync(file, 'utf8')).toBe(text)
    },
  )
})
