/**
 * The invariants are looked at with eyes that see: each kind of damage, done to good data, is
 * found.
 */
import { copyFileSync } from 'node:fs'
import path from 'node:path'
import Database from 'better-sqlite3'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { readCar, writeCar } from '#protocol/car.ts'
import { cidForCbor, cidToBytes, formatCid } from '#protocol/cid.ts'
import { decodeCommit, signCommit } from '#protocol/commit.ts'
import { type CommitEvent, decodeFrame, encodeFrame } from '#protocol/frame.ts'
import { generateKey } from '#protocol/keys.ts'
import { DATABASE_FILE, type PdsData, readDatabase, readPdsData, violations } from './invariants.ts'
import { Load } from './load.ts'
import { makePdsHome, type PdsHome } from './pds.ts'
import { chosenSeed } from './seed.ts'

/** Damages a database, or what was read of the files beside it, so that this is found. */
type Damage = [found: RegExp, damage: string | ((database: Database.Database, data: PdsData) => void)]

const last = (table: string) => `(SELECT max(rowid) FROM ${table})`
/**
 * An account with a few commits, and the `seq` of its last one: nothing else was told of it since.
 */
const busiest = '(SELECT account FROM event GROUP BY account ORDER BY count(*) DESC LIMIT 1)'
const lastOfBusiest = `(SELECT max(seq) FROM event WHERE account = ${busiest})`
const otherBytes = Buffer.from([0xa0])

const damages: Damage[] = [
  [/is in the events and not in the store/, `DELETE FROM record WHERE id = ${last('record')}`],
  [/do not rebuild to the root/, `DELETE FROM record WHERE id = ${last('record')}`],
  [/is in the store and not in the events/, `UPDATE record SET rkey = 'other' WHERE id = ${last('record')}`],
  [/the block of .* is another/, `UPDATE record SET block = x'a0' WHERE id = ${last('record')}`],
  [/was written at .*, its row says/, `UPDATE record SET rev = '2222222222222' WHERE id = ${last('record')}`],
  [/has the subject/, `UPDATE record SET subject = 'at://nobody' WHERE id = ${last('record')}`],
  [/the node .* is missing/, `DELETE FROM node WHERE id = ${last('node')}`],
  [/the node .* is damaged/, `UPDATE node SET block = x'a0' WHERE id = ${last('node')}`],
  [/the node .* was not in the commit/, `UPDATE node SET rev = '2222222222222' WHERE id = ${last('node')}`],
  [
    /the node .* is left over/,
    (database) => {
      const insert = database.prepare(
        `INSERT INTO node (repo, cid, rev, block) VALUES (${busiest}, ?, '', ?)`,
      )
      insert.run(cidToBytes(cidForCbor(otherBytes)), otherBytes)
    },
  ],
  // A commit without its event, and an event without its commit.
  [/the head is at .*, the last commit event at/, `DELETE FROM event WHERE seq = ${lastOfBusiest}`],
  [/the head is at .*, the last commit event at/, moveHeadBack],
  [
    /follows .*, not/,
    `DELETE FROM event WHERE seq = (SELECT max(seq) FROM event WHERE account = ${busiest} AND seq < ${lastOfBusiest})`,
  ],
  [/says seq/, `UPDATE event SET seq = seq + 1 WHERE seq = ${last('event')}`],
  [
    /is older than the one before/,
    `UPDATE event SET time = '2001-01-01T00:00:00.000Z' WHERE seq = ${last('event')}`,
  ],
  [
    /is about did:/,
    `UPDATE event SET account = (SELECT min(id) FROM account WHERE id <> event.account) WHERE seq = ${last('event')}`,
  ],
  [/would be given again/, "UPDATE sqlite_sequence SET seq = 1 WHERE name = 'event'"],
  [/is not signed with the account's key/, signWithAnotherKey],
  [/has no repository/, `DELETE FROM repo WHERE account = ${busiest}`],
  [/has a row of account/, `DELETE FROM account WHERE id = ${busiest}`],
  [/in the PLC directory/, `UPDATE account SET handle = 'other.test' WHERE id = ${busiest}`],
  [
    /blocks are kept for exports/,
    "INSERT INTO retired_block (repo, cid, rev, block) VALUES (1, x'00', '', x'')",
  ],
  [/record_blob does not say so/, 'DELETE FROM record_blob'],
  [/record_blob has a row that no record explains/, "UPDATE record_blob SET rev = '2222222222222'"],
  [/refers to the blob .*, which is not there/, 'DELETE FROM blob'],
  [/has \d+ bytes, not 7/, 'UPDATE blob SET size = 7'],
  [/the file of blob .* is missing/, (_, { files }) => files.clear()],
  [
    /holds other bytes/,
    (_, { files }) => {
      for (const file of files.values()) file.cid = cidForCbor(otherBytes)
    },
  ],
  [
    /is nobody's, and will stay/,
    (_, { files }) => {
      const cid = cidForCbor(otherBytes)
      files.set(`did:plc:nobody/${formatCid(cid)}`, { cid, size: 1 })
    },
  ],
  [/has a row of repository 999/, 'UPDATE OR IGNORE node SET repo = 999'],
  [/unfinished uploads/, (_, { uploads }) => uploads.push('1.upload')],
]

let home: PdsHome
let database: Database.Database

beforeAll(async () => {
  home = await makePdsHome()
  const load = new Load(chosenSeed())
  const running = await home.start()
  for (let count = 0; count < 3; count++) await load.join(home.url)
  load.start(home.url)
  // Until there is something of each kind to damage.
  let data: PdsData
  do {
    await load.answered(50)
    data = readPdsData(home.folder)
  } while (![...data.accounts.values()].some(({ references }) => references.length > 0))
  await load.stop()
  await running.stop()
  const copy = path.join(home.folder, 'damaged.sqlite')
  copyFileSync(path.join(home.folder, DATABASE_FILE), copy)
  database = new Database(copy)
})

afterAll(async () => {
  database.close()
  await home[Symbol.asyncDispose]()
})

test('undamaged data violate no invariant', async () => {
  expect((await home.examine({ started: true })).found).toEqual([])
})

test.each(damages)('%s', async (expected, damage) => {
  const { files, uploads } = readPdsData(home.folder)
  database.exec('BEGIN')
  try {
    const beside = { files, uploads } as PdsData
    if (typeof damage === 'string') expect(database.prepare(damage).run().changes).toBeGreaterThan(0)
    else damage(database, beside)
    const data = { ...readDatabase(database), files: beside.files, uploads: beside.uploads }
    const found = await violations(data, { plcUrl: home.plcUrl, started: true })
    expect(found).toEqual(expect.arrayContaining([expect.stringMatching(expected)]))
  } finally {
    database.exec('ROLLBACK')
  }
})

function lastCommits(database: Database.Database): CommitEvent[] {
  const frames = database
    .prepare<[], Buffer>(`SELECT frame FROM event WHERE account = ${busiest} ORDER BY seq`)
    .pluck()
  return frames
    .all()
    .map((frame) => decodeFrame(frame))
    .filter((event) => event.kind === 'commit')
}

function setHead(database: Database.Database, event: CommitEvent): void {
  const block = Buffer.from(readCar(event.blocks).blocks.get(event.commit)!)
  const { data, rev } = decodeCommit(block)
  const update = database.prepare(
    `UPDATE repo SET "commit" = ?, rev = ?, data = ?, commitBlock = ? WHERE account = ${busiest}`,
  )
  update.run(cidToBytes(event.commit), rev, cidToBytes(data), block)
}

function moveHeadBack(database: Database.Database): void {
  setHead(database, lastCommits(database).at(-2)!)
}

function signWithAnotherKey(database: Database.Database): void {
  const event = lastCommits(database).at(-1)!
  const { blocks } = readCar(event.blocks)
  const { did, data, rev } = decodeCommit(blocks.get(event.commit)!)
  blocks.delete(event.commit)
  const { cid, block } = signCommit({ did, data, rev, prev: null }, generateKey())
  const forged = { ...event, commit: cid, blocks: writeCar(cid, [[cid, block], ...blocks]) }
  database.prepare('UPDATE event SET frame = ? WHERE seq = ?').run(encodeFrame(forged), event.seq)
  setHead(database, forged)
}
