/**
 * What must hold of a PDS's data folder, whatever ended the process: looked at with plain SQL, the
 * protocol's functions and the reference's repository library, and with nothing of the PDS itself.
 * Reading (`readPdsData`) is apart from judging (`violations`).
 */
import { createHash } from 'node:crypto'
import { copyFileSync, existsSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { verifyRepoCar } from '@atproto/repo'
import Database from 'better-sqlite3'
import { readCar, writeCar } from '#protocol/car.ts'
import { type CborValue, decode, isMap } from '#protocol/cbor.ts'
import { type Cid, cidForRawDigest, cidFromBytes, formatCid, isBlockOf, linkToCid } from '#protocol/cid.ts'
import { decodeCommit, verifyCommit } from '#protocol/commit.ts'
import { type CommitEvent, decodeFrame, type RepoEvent, type SyncEvent } from '#protocol/frame.ts'
import { formatDidKey, type PublicKey, parseVerificationMethod } from '#protocol/keys.ts'
import { isLink } from '#protocol/link.ts'
import { nodesOf } from '#protocol/mst/node.ts'
import { invertOps } from '#protocol/mst/tree.ts'
import { buildTree } from '../support/mst/build.ts'
import { temporaryFolder } from '../support/processes.ts'

/** The PDS's database inside its data folder. */
export const DATABASE_FILE = 'atoll.sqlite'
/** The folder of blobs inside the data folder, and in it the one of unfinished uploads. */
const BLOBS_FOLDER = 'blocks'
const UPLOADS_FOLDER = 'tempt'

export interface StoredEvent {
  seq: number
  time: string
  frame: Buffer
}

export interface StoredRecord {
  id: number
  cid: Cid
  rev: string
  subject: string | null
  block: Buffer
}

interface StoredNode {
  rev: string
  block: Buffer
}

/** All that one account's rows say. */
export interface AccountData {
  id: number
  did: string
  handle: string
  email: string
  head: { commit: Cid; rev: string; data: Cid; block: Buffer } | undefined
  nodes: Map<Cid, StoredNode>
  /** By `collection/rkey`. */
  records: Map<string, StoredRecord>
  blobs: Map<Cid, { mimeType: string; size: number }>
  references: { cid: Cid; record: number; rev: string }[]
  events: StoredEvent[]
}

/** All that a data folder says. */
export interface PdsData {
  /** By DID. */
  accounts: Map<string, AccountData>
  events: StoredEvent[]
  /** The highest `seq` ever given, as SQLite remembers it. */
  sequence: number
  retired: number
  /** How many repositories wait to be cleared away. */
  loose: number
  /** Files, by `did/cid`, that may be there without a row. */
  looseBlobs: Set<string>
  /** Files of blobs, by `did/cid`. */
  files: Map<string, { size: number; cid: Cid }>
  /** Names of uploads that were not finished. */
  uploads: string[]
  /** What is wrong already with the file, or with rows that belong to nobody. */
  faults: string[]
}

/**
 * The data of a stopped or killed PDS. Looks at a copy: what the next start finds, and has to
 * recover, is left as it is.
 */
export function readPdsData(folder: string): PdsData {
  using copy = temporaryFolder()
  for (const suffix of ['', '-wal']) {
    const file = path.join(folder, DATABASE_FILE + suffix)
    if (existsSync(file)) copyFileSync(file, path.join(copy.path, DATABASE_FILE + suffix))
  }
  const database = new Database(path.join(copy.path, DATABASE_FILE))
  try {
    return { ...readDatabase(database), ...readFiles(path.join(folder, BLOBS_FOLDER)) }
  } finally {
    database.close()
  }
}

/** What a database says; the files beside it are for `readFiles`. */
export function readDatabase(database: Database.Database): Omit<PdsData, 'files' | 'uploads'> {
  const faults: string[] = []
  const integrity = database.pragma('integrity_check', { simple: true })
  if (integrity !== 'ok') faults.push(`SQLite finds the file damaged: ${integrity}`)

  const byId = new Map<number, AccountData>()
  type AccountRow = Pick<AccountData, 'id' | 'did' | 'handle' | 'email'>
  for (const row of rowsOf<AccountRow>(database, 'SELECT id, did, handle, email FROM account')) {
    byId.set(row.id, {
      ...row,
      head: undefined,
      nodes: new Map(),
      records: new Map(),
      blobs: new Map(),
      references: [],
      events: [],
    })
  }
  function* ofAccounts<R>(table: string, order = 'rowid'): Generator<[AccountData, R]> {
    for (const row of rowsOf<R & { account: number }>(database, `SELECT * FROM ${table} ORDER BY ${order}`)) {
      const account = byId.get(row.account)
      if (account) yield [account, row]
      else faults.push(`${table} has a row of account ${row.account}, which does not exist`)
    }
  }
  const byRepo = new Map<number, AccountData>()
  /**
   * Repositories that an import left unfinished, or replaced: their rows are nobody's until they
   * are cleared away.
   */
  const loose = new Set(
    [...rowsOf<{ id: number }>(database, 'SELECT id FROM loose_repo')].map(({ id }) => -id),
  )
  function* ofRepos<R>(table: string, order = 'rowid'): Generator<[AccountData, R]> {
    for (const row of rowsOf<R & { repo: number }>(database, `SELECT * FROM ${table} ORDER BY ${order}`)) {
      const account = byRepo.get(row.repo)
      if (account) yield [account, row]
      else if (!loose.has(row.repo))
        faults.push(`${table} has a row of repository ${row.repo}, which does not exist`)
    }
  }

  type HeadRow = { id: number; commit: Buffer; rev: string; data: Buffer; commitBlock: Buffer }
  for (const [account, { id, commit, rev, data, commitBlock }] of ofAccounts<HeadRow>('repo')) {
    byRepo.set(id, account)
    account.head = { rev, commit: cidFromBytes(commit), data: cidFromBytes(data), block: commitBlock }
  }
  for (const [account, { cid, rev, block }] of ofRepos<StoredNode & { cid: Buffer }>('node')) {
    account.nodes.set(cidFromBytes(cid), { rev, block })
  }
  type RecordRow = Omit<StoredRecord, 'cid'> & { collection: string; rkey: string; cid: Buffer }
  for (const [account, { collection, rkey, cid, id, rev, subject, block }] of ofRepos<RecordRow>('record')) {
    account.records.set(`${collection}/${rkey}`, { id, rev, subject, block, cid: cidFromBytes(cid) })
  }
  type BlobRow = { cid: Buffer; mimeType: string; size: number }
  for (const [account, { cid, mimeType, size }] of ofAccounts<BlobRow>('blob', 'account, cid')) {
    account.blobs.set(cidFromBytes(cid), { mimeType, size })
  }
  type ReferenceRow = { cid: Buffer; record: number; rev: string }
  for (const [account, { cid, record, rev }] of ofRepos<ReferenceRow>('record_blob', 'repo, cid, record')) {
    account.references.push({ record, rev, cid: cidFromBytes(cid) })
  }
  const events: StoredEvent[] = []
  for (const [account, { seq, time, frame }] of ofAccounts<StoredEvent>('event', 'seq')) {
    const event = { seq, time, frame }
    account.events.push(event)
    events.push(event)
  }
  for (const _ of ofAccounts('refresh_token', 'account')) {
    // Only that each belongs to somebody.
  }
  const one = <T>(query: string) => database.prepare(query).pluck().get() as T
  return {
    events,
    faults,
    accounts: new Map([...byId.values()].map((account) => [account.did, account])),
    sequence: one<number | undefined>("SELECT seq FROM sqlite_sequence WHERE name = 'event'") ?? 0,
    retired: one<number>('SELECT count(*) FROM retired_block'),
    loose: loose.size,
    looseBlobs: new Set(
      [...rowsOf<{ did: string; cid: Buffer }>(database, 'SELECT did, cid FROM loose_blob')].map(
        ({ did, cid }) => `${did}/${formatCid(cidFromBytes(cid))}`,
      ),
    ),
  }
}

function rowsOf<R>(database: Database.Database, query: string): IterableIterator<R> {
  return database.prepare<[], R>(query).iterate()
}

/** The blobs' files, hashed. */
export function readFiles(folder: string): Pick<PdsData, 'files' | 'uploads'> {
  const files: PdsData['files'] = new Map()
  const list = (name: string) =>
    existsSync(path.join(folder, name)) ? readdirSync(path.join(folder, name)) : []
  for (const did of list('.').filter((name) => name !== UPLOADS_FOLDER)) {
    for (const name of list(did)) {
      const bytes = readFileSync(path.join(folder, did, name))
      const cid = cidForRawDigest(createHash('sha256').update(bytes).digest())
      files.set(`${did}/${name}`, { cid, size: bytes.length })
    }
  }
  return { files, uploads: list(UPLOADS_FOLDER) }
}

export interface Expectations {
  /** The PLC directory that knows the accounts. */
  plcUrl: string
  /**
   * Whether a start went by since the process was last killed: then nothing unfinished lies about.
   */
  started: boolean
}

/** What is wrong with the data: nothing, if the list is empty. */
export async function violations(data: PdsData, { plcUrl, started }: Expectations): Promise<string[]> {
  const found = [...data.faults, ...ofEvents(data), ...ofFiles(data, started)]
  if (started && data.retired > 0)
    found.push(`${data.retired} blocks are kept for exports of another process`)
  const ofAccounts = await Promise.all(
    [...data.accounts.values()].map((account) => ofAccount(account, plcUrl)),
  )
  return [...found, ...ofAccounts.flat()]
}

async function ofAccount(account: AccountData, plcUrl: string): Promise<string[]> {
  const identity = await identityOf(plcUrl, account.did).catch((error: unknown) => String(error))
  if (typeof identity === 'string') return [`${account.did}: ${identity}`]
  const checks: (() => Iterable<string> | AsyncIterable<string>)[] = [
    () => ofIdentity(account, identity),
    () => ofTree(account),
    () => ofChain(account, identity.key),
    () => ofBlobs(account),
    () => ofReference(account, identity.key),
  ]
  const found: string[] = []
  for (const check of checks) {
    try {
      for await (const text of check()) found.push(text)
    } catch (error) {
      // Data so damaged that they cannot even be read. The other checks may say more.
      found.push(String(error))
    }
  }
  return found.map((text) => `${account.did}: ${text}`)
}

function* ofEvents({ events, sequence }: PdsData): Generator<string> {
  let before: StoredEvent | undefined
  for (const event of events) {
    const decoded = decodeFrame(event.frame)
    if (decoded.kind === 'unknown' || decoded.kind === 'error' || decoded.kind === 'info') {
      yield `event ${event.seq} is of the kind ${decoded.kind}`
      continue
    }
    if (decoded.seq !== event.seq) yield `the frame of event ${event.seq} says seq ${decoded.seq}`
    if (decoded.time !== event.time) yield `the frame of event ${event.seq} says another time than its row`
    if (before && event.seq <= before.seq) yield `seq ${event.seq} comes after ${before.seq}`
    if (before && event.time < before.time) yield `event ${event.seq} is older than the one before`
    before = event
  }
  if (sequence < (before?.seq ?? 0)) yield `seq ${sequence + 1} would be given again`
}

/**
 * Every row has its file, and every file its row, or it is known that it may lack one: its upload
 * was never answered.
 */
function* ofFiles({ accounts, files, uploads, looseBlobs }: PdsData, started: boolean): Generator<string> {
  if (started && uploads.length > 0) yield `unfinished uploads of another process: ${uploads}`
  for (const { did, blobs } of accounts.values()) {
    for (const [cid, { size }] of blobs) {
      const file = files.get(`${did}/${formatCid(cid)}`)
      if (file === undefined) yield `${did}: the file of blob ${formatCid(cid)} is missing`
      else if (file.size !== size) yield `${did}: blob ${formatCid(cid)} has ${file.size} bytes, not ${size}`
    }
  }
  for (const [name, { cid }] of files) {
    if (!accounts.get(name.split('/')[0] ?? '')?.blobs.has(cid) && !looseBlobs.has(name))
      yield `the file ${name} is nobody's, and will stay`
    if (name.split('/')[1] !== formatCid(cid)) yield `the file ${name} holds other bytes`
  }
}

interface Identity {
  key: PublicKey
  handle: string | undefined
}

async function identityOf(plcUrl: string, did: string): Promise<Identity> {
  const response = await fetch(`${plcUrl}/${did}`)
  if (!response.ok) throw new Error(`the PLC directory answers ${response.status}`)
  const document = (await response.json()) as {
    alsoKnownAs: string[]
    verificationMethod: { id: string; type: string; publicKeyMultibase: string }[]
  }
  const method = document.verificationMethod.find(({ id }) => id.endsWith('#atproto'))
  if (!method) throw new Error('the PLC document has no key')
  return { key: parseVerificationMethod(method), handle: document.alsoKnownAs[0]?.replace('at://', '') }
}

function* ofIdentity({ handle, events }: AccountData, identity: Identity): Generator<string> {
  if (identity.handle !== handle) yield `is ${handle} here and ${identity.handle} in the PLC directory`
  const told = events.map(({ frame }) => decodeFrame(frame))
  if (told.findLast(({ kind }) => kind === 'account') === undefined) yield 'has no #account event'
  const named = told.findLast((event) => event.kind === 'identity')
  if (named?.handle !== handle) yield `is ${handle} here and ${named?.handle} in its last #identity event`
}

/**
 * The records rebuild to the root in the head, and the nodes in the store are those of that tree.
 */
function* ofTree({ head, nodes, records }: AccountData): Generator<string> {
  if (head === undefined) return yield 'has no repository'
  const commit = decodeCommit(head.block)
  if (!isBlockOf(head.commit, head.block)) yield 'the block of the commit is another'
  if (commit.data !== head.data || commit.rev !== head.rev)
    yield 'the head says another root or rev than its commit'
  for (const [path, { cid, block }] of records) {
    if (!isBlockOf(cid, block)) yield `the block of ${path} is another`
  }

  const entries = [...records].map(([key, { cid }]) => ({ key, value: cid }))
  const builder = buildTree(entries.sort((a, b) => (a.key < b.key ? -1 : 1)))
  const tree = new Map<Cid, Buffer>()
  let step = builder.next()
  for (; !step.done; step = builder.next()) tree.set(...step.value)
  if (step.value !== head.data) yield 'the records do not rebuild to the root in the head'
  for (const [cid, block] of tree) {
    const stored = nodes.get(cid)
    if (stored === undefined) yield `the node ${formatCid(cid)} is missing`
    else if (!stored.block.equals(block)) yield `the node ${formatCid(cid)} is damaged`
  }
  for (const cid of nodes.keys()) if (!tree.has(cid)) yield `the node ${formatCid(cid)} is left over`
}

/** The events tell, commit by commit, how the repository became what it is. */
function* ofChain({ did, head, nodes, records, events }: AccountData, key: PublicKey): Generator<string> {
  let last: { commit: Cid; rev: string; data: Cid } | undefined
  const told = new Map<string, { cid: Cid; rev: string }>()
  const blocksOf = new Map<string, Map<Cid, Uint8Array>>()
  let imported: string | undefined

  for (const { seq, frame } of events) {
    const event = decodeFrame(frame) as RepoEvent
    const about = event.kind === 'commit' ? event.repo : event.kind === 'info' ? undefined : event.did
    if (about !== did) yield `event ${seq} is about ${about}`
    if (event.kind !== 'commit' && event.kind !== 'sync') continue
    const { blocks, commit, cid } = openEvent(event)
    if (commit.did !== did || commit.rev !== event.rev)
      yield `event ${seq} is of another repository or rev than its commit`
    if (!verifyCommit(commit, key)) yield `the commit of event ${seq} is not signed with the account's key`
    if (event.kind === 'sync') {
      if (cid === last?.commit) continue
      // An import: what it brought is told by no event, and what was told before is gone.
      if (last && event.rev <= last.rev) yield `event ${seq} has the rev ${event.rev} after ${last.rev}`
      told.clear()
      blocksOf.clear()
      imported = event.rev
      last = { commit: cid, rev: event.rev, data: commit.data }
      continue
    }
    if (cid !== event.commit) yield `event ${seq} names another commit than its blocks`
    if (event.since !== (last?.rev ?? null)) yield `event ${seq} follows ${event.since}, not ${last?.rev}`
    if (event.prevData !== last?.data) yield `event ${seq} follows another tree than the one before`
    if (last && event.rev <= last.rev) yield `event ${seq} has the rev ${event.rev} after ${last.rev}`
    const ops = event.ops.map(({ path, cid, prev }) => ({ key: path, value: cid, prev: prev ?? null }))
    if (last && invertOps(nodesOf(blocks), commit.data, ops) !== last.data) {
      yield `the ops of event ${seq}, undone, do not give the tree before`
    }
    for (const { action, path, cid, prev } of event.ops) {
      const before = told.get(path)
      const isBrought = imported !== undefined && before === undefined
      if (!isBrought && ((action === 'create') !== (before === undefined) || prev !== before?.cid)) {
        yield `event ${seq} says ${action} of ${path}, which was ${before ? formatCid(before.cid) : 'not there'}`
      }
      if (cid === null) told.delete(path)
      else {
        told.set(path, { cid, rev: event.rev })
        if (!blocks.has(cid)) yield `event ${seq} lacks the block of ${path}`
      }
    }
    blocksOf.set(event.rev, blocks)
    last = { commit: cid, rev: event.rev, data: commit.data }
  }

  if (last?.commit !== head?.commit || last?.rev !== head?.rev || last?.data !== head?.data) {
    yield `the head is at ${head?.rev}, the last commit event at ${last?.rev}`
  }
  for (const [path, { cid, rev }] of told) {
    const stored = records.get(path)
    if (stored === undefined) yield `${path} is in the events and not in the store`
    else if (stored.cid !== cid) yield `${path} is another in the events than in the store`
    else if (stored.rev !== rev) yield `${path} was written at ${rev}, its row says ${stored.rev}`
  }
  for (const [path, { rev }] of records)
    if (!told.has(path) && rev !== imported) yield `${path} is in the store and not in the events`
  for (const [cid, { rev }] of nodes) {
    if (!blocksOf.get(rev)?.has(cid) && rev !== imported)
      yield `the node ${formatCid(cid)} was not in the commit ${rev}, as its row says`
  }
}

function openEvent(event: CommitEvent | SyncEvent) {
  const { roots, blocks } = readCar(event.blocks)
  const [cid] = roots
  const block = cid && blocks.get(cid)
  if (!cid || !block) throw new Error(`event ${event.seq} lacks its commit`)
  return { blocks, cid, commit: decodeCommit(block) }
}

/** `record_blob` says what the records say, and so does `record.subject`. */
function* ofBlobs({ records, blobs, references }: AccountData): Generator<string> {
  const stated = new Set(references.map(({ cid, record, rev }) => `${record} ${formatCid(cid)} ${rev}`))
  for (const [path, { id, rev, block, subject }] of records) {
    const value = decode(block)
    for (const cid of new Set(linksToBlobs(value))) {
      const text = `${id} ${formatCid(cid)} ${rev}`
      if (!stated.delete(text))
        yield `${path} refers to the blob ${formatCid(cid)}, record_blob does not say so`
      if (!blobs.has(cid)) yield `${path} refers to the blob ${formatCid(cid)}, which is not there`
    }
    if (subject !== subjectOf(path, value)) yield `${path} has the subject ${subject} in its row`
  }
  for (const text of stated) yield `record_blob has a row that no record explains: ${text}`
}

function* linksToBlobs(value: CborValue): Generator<Cid> {
  if (value === null || typeof value !== 'object' || value instanceof Uint8Array || isLink(value)) return
  if (isMap(value) && value.$type === 'blob' && isLink(value.ref!)) yield linkToCid(value.ref)
  for (const part of Object.values(value)) yield* linksToBlobs(part)
}

function subjectOf(path: string, value: CborValue): string | null {
  const subject = isMap(value) ? value.subject : undefined
  if (/^app\.bsky\.graph\.(follow|block)\//.test(path)) return subject as string
  if (/^app\.bsky\.feed\.(like|repost)\//.test(path)) return (subject as { uri: string }).uri
  return null
}

/**
 * The reference's library, given all blocks, verifies the repository and finds the same records.
 */
async function* ofReference(
  { did, head, nodes, records }: AccountData,
  key: PublicKey,
): AsyncGenerator<string> {
  if (head === undefined) return
  const blocks: [Cid, Uint8Array][] = [[head.commit, head.block]]
  for (const [cid, { block }] of [
    ...nodes,
    ...[...records.values()].map((record) => [record.cid, record] as const),
  ]) {
    blocks.push([cid, block])
  }
  const { creates } = await verifyRepoCar(writeCar(head.commit, blocks), did, formatDidKey(key))
  const found = new Map(creates.map(({ collection, rkey, cid }) => [`${collection}/${rkey}`, cid.toString()]))
  const same =
    found.size === records.size && [...records].every(([path, { cid }]) => found.get(path) === formatCid(cid))
  if (!same) yield 'the reference finds other records'
}
