import path from 'node:path'
import { Secp256k1Keypair } from '@atproto/crypto'
import { Client, createOp, type Operation, updateHandleOp, updateRotationKeysOp } from '@did-plc/lib'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { RefusedError, SqlitePlcDatabase } from '../../scripts/plc/database.ts'
import { startPlc } from '../support/plc.ts'
import { startProcess, type TemporaryFolder, temporaryFolder } from '../support/processes.ts'

const HOUR = 3_600_000

/** The key with the most power, and one with less. */
const recovery = await Secp256k1Keypair.create()
const rotation = await Secp256k1Keypair.create()
const signing = await Secp256k1Keypair.create()

const newAccount = (handle = 'alice.test') =>
  createOp({
    signingKey: signing.did(),
    handle,
    pds: 'https://pds.example',
    rotationKeys: [recovery.did(), rotation.did()],
    signer: rotation,
  })

const handlesOf = async (db: SqlitePlcDatabase, did: string, includeNullified = false) =>
  (await db.indexedOpsForDid(did, includeNullified)).map(({ operation, nullified }) => {
    const handle = (operation as Operation).alsoKnownAs[0]?.slice('at://'.length)
    return nullified ? `(${handle})` : handle
  })

describe('SqlitePlcDatabase', () => {
  let db: SqlitePlcDatabase
  let now: number

  beforeEach(() => {
    now = Date.now()
    db = new SqlitePlcDatabase(':memory:', () => now)
  })
  afterEach(() => db.close())

  it('keeps a log in order', async () => {
    const { did, op } = await newAccount()
    await db.validateAndAddOp(did, op)
    const second = await updateHandleOp(op, rotation, 'bob.test')
    await db.validateAndAddOp(did, second)
    const third = await updateHandleOp(second, recovery, 'carol.test')
    await db.validateAndAddOp(did, third)
    expect(await handlesOf(db, did)).toEqual(['alice.test', 'bob.test', 'carol.test'])
    expect(await db.lastOpForDid(did)).toEqual(third)
    expect(await db.opsForDid(did)).toEqual([op, second, third])
  })

  it('lets one of several operations with the same prev in', async () => {
    const { did, op } = await newAccount()
    await db.validateAndAddOp(did, op)
    // The weaker key may not nullify, so whichever comes first makes the others late.
    const rivals = await Promise.all(
      [1, 2, 3, 4, 5].map((n) => updateHandleOp(op, rotation, `rival${n}.test`)),
    )
    const outcomes = await Promise.allSettled(rivals.map((rival) => db.validateAndAddOp(did, rival)))
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', ...Array(4).fill('rejected')])
    expect(await handlesOf(db, did)).toEqual(['alice.test', 'rival1.test'])
  })

  it('takes the same creation once', async () => {
    const { did, op } = await newAccount()
    const outcomes = await Promise.allSettled([db.validateAndAddOp(did, op), db.validateAndAddOp(did, op)])
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected'])
    expect(await db.opsForDid(did)).toHaveLength(1)
  })

  it('refuses what does not follow', async () => {
    const { did, op } = await newAccount()
    const other = await newAccount('other.test')
    await expect(
      db.validateAndAddOp(did, other.op),
      'a creation under a DID that is not its hash',
    ).rejects.toThrow('Hash of genesis operation')
    await db.validateAndAddOp(did, op)
    const unauthorised = await updateHandleOp(op, signing, 'mallory.test')
    await expect(db.validateAndAddOp(did, unauthorised)).rejects.toThrow('Invalid signature')
    const valid = await updateHandleOp(op, rotation, 'bob.test')
    await expect(db.validateAndAddOp(did, { ...valid, alsoKnownAs: ['at://changed.test'] })).rejects.toThrow(
      'Invalid signature',
    )
    const fromElsewhere = await updateHandleOp(other.op, rotation, 'bob.test')
    await expect(db.validateAndAddOp(did, fromElsewhere)).rejects.toThrow('not correctly ordered')
    await expect(db.validateAndAddOp(did, { ...valid, prev: 'bafy' })).rejects.toThrow(RefusedError)
    expect(await handlesOf(db, did)).toEqual(['alice.test'])
  })

  it('lets a stronger key take back what a weaker one did, for 72 hours', async () => {
    const { did, op } = await newAccount()
    await db.validateAndAddOp(did, op)
    const theft = await updateHandleOp(op, rotation, 'thief.test')
    await db.validateAndAddOp(did, theft)
    const more = await updateRotationKeysOp(theft, rotation, [rotation.did()])
    await db.validateAndAddOp(did, more)

    const weak = await updateHandleOp(op, rotation, 'again.test')
    await expect(db.validateAndAddOp(did, weak)).rejects.toThrow('Invalid signature')
    const rescue = await updateHandleOp(op, recovery, 'rescued.test')
    await db.validateAndAddOp(did, rescue)
    expect(await handlesOf(db, did)).toEqual(['alice.test', 'rescued.test'])
    expect(await handlesOf(db, did, true)).toEqual([
      'alice.test',
      '(thief.test)',
      '(thief.test)',
      'rescued.test',
    ])
    expect(await db.lastOpForDid(did)).toEqual(rescue)
    const next = await updateHandleOp(rescue, rotation, 'onwards.test')
    await db.validateAndAddOp(did, next)
    expect(await handlesOf(db, did)).toEqual(['alice.test', 'rescued.test', 'onwards.test'])
  })

  it('does not take back what is older than 72 hours', async () => {
    now -= 73 * HOUR
    const { did, op } = await newAccount()
    await db.validateAndAddOp(did, op)
    const old = await updateHandleOp(op, rotation, 'bob.test')
    await db.validateAndAddOp(did, old)
    now += 73 * HOUR
    const late = await updateHandleOp(op, recovery, 'late.test')
    await expect(db.validateAndAddOp(did, late)).rejects.toThrow('72 hr recovery window')
    expect(await handlesOf(db, did)).toEqual(['alice.test', 'bob.test'])
  })

  it('exports everything in the order in which it came, in pages that end anywhere', async () => {
    // The clock stands still, and even goes back: times still rise.
    const cids: string[] = []
    for (const handle of ['a.test', 'b.test', 'c.test', 'd.test', 'e.test']) {
      now -= 10
      const { did, op } = await newAccount(handle)
      await db.validateAndAddOp(did, op)
      cids.push(...(await db.indexedOpsForDid(did)).map(({ cid }) => cid.toString()))
    }
    const exported: string[] = []
    let after: Date | undefined
    for (;;) {
      const page = await db.exportOps(2, after)
      const last = page.at(-1)
      if (last === undefined) break
      exported.push(...page.map(({ cid }) => cid))
      after = new Date(last.createdAt)
    }
    expect(exported).toEqual(cids)
    await expect(db.exportOps(10, new Date('never'))).rejects.toThrow(RefusedError)
  })
})

describe('the directory', () => {
  it('serves the official client', async () => {
    await using plc = await startPlc()
    const client = new Client(plc.url)
    const { did, op } = await newAccount()
    await client.sendOperation(did, op)
    await client.updateHandle(did, rotation, 'bob.test')
    expect(await client.getDocument(did)).toMatchObject({ id: did, alsoKnownAs: ['at://bob.test'] })
    expect(await client.getOperationLog(did)).toHaveLength(2)
    expect(await client.getAuditableLog(did)).toMatchObject([{ nullified: false }, { nullified: false }])
    expect(await client.export()).toHaveLength(2)
    expect(await client.health()).toEqual({ version: '0.0.0' })
    await expect(client.updateHandle(did, signing, 'mallory.test')).rejects.toMatchObject({ status: 400 })
    await expect(client.getDocument('did:plc:aaaaaaaaaaaaaaaaaaaaaaaa')).rejects.toMatchObject({
      status: 404,
    })
    await client.tombstone(did, rotation)
    await expect(client.getDocument(did), 'a tombstoned DID').rejects.toMatchObject({ status: 404 })
    expect((await fetch(`${plc.url}/export?after=never`)).status).toBe(400)
  })

  describe('as a process', () => {
    let folder: TemporaryFolder
    const start = () =>
      startProcess({
        file: 'scripts/plc.ts',
        env: { PLC_PORT: '0', PLC_DATA_DIRECTORY: path.join(folder.path, 'plc') },
        ready: /answers at/,
      })
    const urlOf = (output: string) => /http:\S+/.exec(output)?.[0] ?? ''

    beforeEach(() => {
      folder = temporaryFolder()
    })
    afterEach(() => folder[Symbol.dispose]())

    it('keeps its operations over kill -9', async () => {
      const first = await start()
      const { did, op } = await newAccount()
      await new Client(urlOf(first.output())).sendOperation(did, op)
      first.kill('SIGKILL')
      await first.exited
      await using second = await start()
      expect(await new Client(urlOf(second.output())).getLastOp(did)).toEqual(op)
    })

    it('refuses data that another process holds, and stops when it is asked to', async () => {
      await using first = await start()
      await expect(start()).rejects.toThrow(`running already on the data in ${folder.path}`)
      expect(await first.stop()).toBe(0)
      await using again = await start()
      expect(again.output()).toContain('answers at')
    })
  })
})
