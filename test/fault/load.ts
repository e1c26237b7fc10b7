/**
 * Load on a PDS that remembers what it was answered: people who write in several lanes each, one
 * request at a time in a lane. When the server goes away, each lane has at most one request of
 * which nobody knows whether it counted; all else must be there.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { Pool } from 'undici'
import { encode } from '#protocol/cbor.ts'
import { type Cid, cidForCbor, cidForRaw, formatCid, parseCid } from '#protocol/cid.ts'
import { decodeFrame } from '#protocol/frame.ts'
import { jsonToValue } from '#protocol/json.ts'
import { TidClock } from '#protocol/tid.ts'
import { PASSWORD } from '../support/pds.ts'
import { type Random, seededRandom } from '../support/random.ts'
import type { PdsData } from './invariants.ts'

/** Records of a repository as the load knows them, by URI; null: it was deleted. */
type Changes = Map<string, Cid | null>

interface Person {
  readonly handle: string
  readonly did: string
  readonly accessJwt: string
}

interface Post {
  readonly uri: string
  readonly cid: string
  readonly lane: number
}

interface BlobJson {
  ref: { $link: string }
  mimeType: string
  size: number
}

/** A record's value, as JSON. */
interface RecordJson {
  readonly $type: string
  readonly [field: string]: unknown
}

/** The server went away before it answered. */
class GoneError extends Error {}

/** The server refused what it should have taken. */
class RefusedError extends Error {}

const POST = 'app.bsky.feed.post'
const LIKE = 'app.bsky.feed.like'
const REPOST = 'app.bsky.feed.repost'
const FOLLOW = 'app.bsky.graph.follow'

const lanesPerPerson = 3
const readersCount = 1
/**
 * Nobody new comes once there are so many: what is written does not grow with the time that a
 * machine takes.
 */
const peopleMax = 10
/** Posts that people answer, like and so on. */
const postsKnownMax = 300
const clock = new TidClock(0)

export class Load {
  readonly random: Random
  readonly people: Person[] = []
  readonly posts: Post[] = []
  /** Requests that were refused and should not have been. */
  readonly #faults: string[] = []
  readonly #lanes: Lane[] = []
  /** Commits that somebody was told of, as `did rev cid`. */
  readonly #commits = new Set<string>()
  readonly #blobs: { did: string; cid: Cid }[] = []
  readonly #uncertainHandles = new Set<string>()
  #names = 0
  /** Requests of lanes that were answered, and requests that were refused. */
  readonly #counts = { answers: 0, refusals: 0 }
  #pool: Pool | undefined
  #stopping = false
  #tolerant = false
  #running: Promise<unknown> = Promise.resolve()
  #awaited: { what: 'answers' | 'refusals'; count: number; resolve: () => void } | undefined

  constructor(seed: number) {
    this.random = seededRandom(seed)
  }

  /** Makes a person's account. */
  async join(url: string): Promise<void> {
    this.#pool ??= new Pool(url)
    await this.#createAccount(`person${++this.#names}.test`)
  }

  /**
   * Begins to write, until the server goes away or `stop` is called.
   * @param tolerant whether the server may refuse what it should take: then nothing of that may
   * count, and people go on
   */
  start(url: string, { tolerant = false } = {}): void {
    this.#pool ??= new Pool(url)
    this.#stopping = false
    this.#tolerant = tolerant
    const write = (lane: Lane) =>
      this.#work(async () => {
        await lane.step()
        this.#count('answers')
      })
    const readers = Array.from({ length: readersCount }, () => this.#work(() => this.#look()))
    this.#running = Promise.all([...this.#lanes.map(write), ...readers, this.#work(() => this.#grow())])
  }

  /** Lets requests under way end, and resolves when there are none. */
  async stop(): Promise<void> {
    this.#stopping = true
    await this.gone()
  }

  /** Resolves when nothing is under way, the server having gone away. */
  async gone(): Promise<void> {
    await this.#running
    await this.#pool?.destroy()
    this.#pool = undefined
  }

  /** Resolves when so many more requests were answered, or when there will be no more answers. */
  answered(count: number): Promise<void> {
    return this.#until('answers', count)
  }

  /** Resolves when so many more requests were refused, or when there will be no more answers. */
  refused(count: number): Promise<void> {
    return this.#until('refusals', count)
  }

  /**
   * What the data lack of all that was answered, or hold without anybody having written it.
   * Afterwards nothing is uncertain any more.
   */
  settle(data: PdsData): string[] {
    const found = this.#faults.splice(0)
    const actual = new Map<string, Cid>()
    const commits = new Set<string>()
    for (const { did, records, events } of data.accounts.values()) {
      for (const [path, { cid }] of records) actual.set(`at://${did}/${path}`, cid)
      for (const { frame } of events) {
        const event = decodeFrame(frame)
        if (event.kind === 'commit') commits.add(`${did} ${event.rev} ${formatCid(event.commit)}`)
      }
    }
    for (const lane of this.#lanes) {
      found.push(...lane.settle(actual))
      for (const uri of lane.records.keys()) actual.delete(uri)
    }
    for (const uri of actual.keys()) found.push(`${uri} is there, though deleted or never written`)
    for (const commit of this.#commits.difference(commits)) found.push(`the commit ${commit} has no event`)
    for (const { did, cid } of this.#blobs) {
      if (!data.accounts.get(did)?.blobs.has(cid))
        found.push(`the blob ${formatCid(cid)} of ${did} was answered and is not there`)
    }
    const known = new Set([...this.people.map(({ handle }) => handle), ...this.#uncertainHandles])
    for (const { handle } of data.accounts.values()) {
      if (!known.has(handle)) found.push(`${handle} is there, though refused`)
    }
    for (const { did, handle } of this.people) {
      if (data.accounts.get(did)?.handle !== handle) found.push(`${handle} was made and is not there`)
    }
    return found
  }

  /**
   * People whose account may have been made either can sign in, or can have their name again.
   * @throws when one can do neither
   */
  async settleAccounts(url: string, data: PdsData): Promise<void> {
    this.#pool ??= new Pool(url)
    const made = new Set([...data.accounts.values()].map(({ handle }) => handle))
    for (const handle of this.#uncertainHandles) {
      if (!made.has(handle)) await this.#createAccount(handle)
      else {
        this.#welcome(
          await this.ask<Person>('com.atproto.server.createSession', {
            identifier: handle,
            password: PASSWORD,
          }),
        )
      }
    }
  }

  /**
   * A request that must succeed.
   * @throws GoneError, RefusedError
   */
  async ask<T>(method: string, body: object | Buffer, jwt?: string): Promise<T> {
    const { status, json } = await this.#request('POST', method, body, jwt)
    if (status !== 200) throw new RefusedError(`${method}: ${status} ${JSON.stringify(json)}`)
    const { commit } = json as { commit?: { rev: string; cid: string } }
    const person = this.people.find(({ accessJwt }) => accessJwt === jwt)
    if (commit && person) this.#commits.add(`${person.did} ${commit.rev} ${commit.cid}`)
    return json as T
  }

  noteBlob(did: string, cid: Cid): void {
    this.#blobs.push({ did, cid })
  }

  notePost(post: Post): void {
    if (this.posts.length < postsKnownMax) this.posts.push(post)
    else this.posts[this.random.below(postsKnownMax)] = post
  }

  /** @throws GoneError */
  async #request(
    verb: 'GET' | 'POST',
    method: string,
    body?: object | Buffer,
    jwt?: string,
  ): Promise<{ status: number; json: unknown }> {
    try {
      const response = await this.#pool!.request({
        method: verb,
        path: `/xrpc/${method}`,
        headers: {
          ...(body && { 'content-type': Buffer.isBuffer(body) ? 'image/gif' : 'application/json' }),
          ...(jwt && { authorization: `Bearer ${jwt}` }),
        },
        body: body && (Buffer.isBuffer(body) ? body : JSON.stringify(body)),
      })
      return { status: response.statusCode, json: await response.body.json() }
    } catch (cause) {
      throw new GoneError('no answer', { cause })
    }
  }

  async #createAccount(handle: string): Promise<void> {
    const email = `${handle.replace('.test', '')}@mail.example`
    const account = { handle, email, password: PASSWORD }
    this.#uncertainHandles.add(handle)
    try {
      this.#welcome(await this.ask<Person>('com.atproto.server.createAccount', account))
    } catch (error) {
      if (error instanceof RefusedError) this.#uncertainHandles.delete(handle)
      throw error
    }
  }

  #welcome(person: Person): void {
    this.#uncertainHandles.delete(person.handle)
    this.people.push(person)
    for (let number = 0; number < lanesPerPerson; number++) this.#lanes.push(new Lane(this, person, number))
  }

  /** Now and then somebody new comes, who writes from the next start on. */
  async #grow(): Promise<void> {
    if (this.people.length < peopleMax) await this.#createAccount(`person${++this.#names}.test`)
    else await this.#look()
    await sleep(200 + this.random.below(400))
  }

  /** Asks where somebody's repository stands: what a reader is told holds for good, too. */
  async #look(): Promise<void> {
    const { did } = this.random.pick(this.people)
    const { status, json } = await this.#request('GET', `com.atproto.sync.getLatestCommit?did=${did}`)
    if (status !== 200) throw new RefusedError(`getLatestCommit: ${status} ${JSON.stringify(json)}`)
    const { rev, cid } = json as { rev: string; cid: string }
    this.#commits.add(`${did} ${rev} ${cid}`)
  }

  async #work(step: () => Promise<void>): Promise<void> {
    while (!this.#stopping) {
      try {
        await step()
      } catch (error) {
        if (error instanceof GoneError) return
        if (!(error instanceof RefusedError)) throw error
        this.#count('refusals')
        if (this.#tolerant) continue
        this.#faults.push(error.message)
        return
      }
    }
  }

  async #until(what: 'answers' | 'refusals', count: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#awaited = { what, resolve, count: this.#counts[what] + count }
    await Promise.race([promise, this.#running])
  }

  #count(what: 'answers' | 'refusals'): void {
    const count = ++this.#counts[what]
    if (this.#awaited?.what === what && count >= this.#awaited.count) this.#awaited.resolve()
  }
}

/** One request at a time, on records that no other lane touches. */
class Lane {
  /** What is there, as far as it was answered. */
  readonly records = new Map<string, Cid>()
  readonly #load: Load
  readonly #person: Person
  readonly #number: number
  /** What likes and so on point at: a new one replaces those of the same subject. */
  readonly #subjects = new Map<string, string>()
  /** What the request under way would change, all of it or nothing. */
  #pending: Changes = new Map()
  #blob: BlobJson | undefined

  constructor(load: Load, person: Person, number: number) {
    this.#load = load
    this.#person = person
    this.#number = number
  }

  /** One request, answered. */
  async step(): Promise<void> {
    const dice = this.#load.random.below(100)
    if (dice < 30) await this.#create(this.#post())
    else if (dice < 50) await this.#create(this.#reaction())
    else if (dice < 62) await this.#put()
    else if (dice < 74) await this.#delete()
    else if (dice < 90) await this.#batch()
    else await this.#upload()
  }

  /**
   * Compares what is there with what was answered; what was under way counts wholly or not at all.
   */
  settle(actual: Map<string, Cid>): string[] {
    const found: string[] = []
    const pending = this.#pending
    const came = [...pending].filter(([uri, cid]) => (actual.get(uri) ?? null) === cid)
    const changing = [...pending].filter(([uri, cid]) => (this.records.get(uri) ?? null) !== cid)
    const counted = came.length === pending.size && changing.length > 0
    if (counted) this.#apply(pending)
    for (const [uri, cid] of this.records) {
      const there = actual.get(uri)
      if (there === undefined) found.push(`${uri} was answered and is not there`)
      else if (there !== cid) found.push(`${uri} is not what was answered last`)
    }
    this.#pending = new Map()
    return found
  }

  async #create(record: RecordJson): Promise<void> {
    const { repo, uri, collection, rkey } = this.#place(record.$type)
    const replaced = collection === POST ? [] : this.#withSubject(collection, subjectOf(record))
    if (collection !== POST) this.#subjects.set(uri, subjectOf(record))
    const changes: Changes = new Map([...replaced.map((uri) => [uri, null] as const), [uri, cidOf(record)]])
    await this.#write('createRecord', { repo, collection, rkey, record }, changes)
    this.#note(uri)
  }

  async #put(): Promise<void> {
    const record = this.#post()
    const uri = this.#ofOwn(POST) ?? this.#place(POST).uri
    const [repo, collection, rkey] = partsOf(uri)
    await this.#write('putRecord', { repo, collection, rkey, record }, new Map([[uri, cidOf(record)]]))
    this.#note(uri)
  }

  async #delete(): Promise<void> {
    const uri = this.#ofOwn()
    if (uri === undefined) return this.#create(this.#post())
    const [repo, collection, rkey] = partsOf(uri)
    await this.#write('deleteRecord', { repo, collection, rkey }, new Map([[uri, null]]))
  }

  async #batch(): Promise<void> {
    const { random } = this.#load
    const writes: object[] = []
    const changes: Changes = new Map()
    const add = (action: 'create' | 'update' | 'delete', uri: string, value?: RecordJson) => {
      const [, collection, rkey] = partsOf(uri)
      writes.push({ $type: `com.atproto.repo.applyWrites#${action}`, collection, rkey, value })
      changes.set(uri, value ? cidOf(value) : null)
    }
    for (let count = 1 + random.below(12); count > 0; count--) {
      const record = random.below(3) === 0 ? this.#reaction() : this.#post()
      const { uri } = this.#place(record.$type)
      if (record.$type !== POST) this.#subjects.set(uri, subjectOf(record))
      add('create', uri, record)
      const next = random.below(8)
      if (next === 0) add('delete', uri)
      if (next === 1) add('update', uri, { ...record, createdAt: now() })
    }
    const changed = this.#ofOwn(POST)
    if (changed) add('update', changed, this.#post())
    const removed = this.#ofOwn()
    if (removed && removed !== changed) add('delete', removed)
    await this.#write('applyWrites', { repo: this.#person.did, writes }, changes)
    for (const uri of changes.keys()) this.#note(uri)
  }

  async #upload(): Promise<void> {
    // As an image it may be shown in a post.
    const bytes = Buffer.concat([
      Buffer.from('GIF89a'),
      this.#load.random.bytes(this.#load.random.below(20_000)),
    ])
    const { did, accessJwt } = this.#person
    const { blob } = await this.#load.ask<{ blob: BlobJson }>('com.atproto.repo.uploadBlob', bytes, accessJwt)
    if (parseCid(blob.ref.$link) !== cidForRaw(bytes)) throw new RefusedError('a blob got another CID')
    this.#load.noteBlob(did, cidForRaw(bytes))
    this.#blob = blob
  }

  async #write(method: string, body: object, changes: Changes): Promise<void> {
    this.#pending = changes
    try {
      await this.#load.ask(`com.atproto.repo.${method}`, body, this.#person.accessJwt)
      this.#apply(changes)
      this.#pending = new Map()
    } catch (error) {
      // What was refused did not happen; only what got no answer is uncertain.
      if (error instanceof RefusedError) this.#pending = new Map()
      throw error
    }
  }

  #apply(changes: Changes): void {
    for (const [uri, cid] of changes) {
      if (cid === null) this.records.delete(uri)
      else this.records.set(uri, cid)
    }
  }

  /** Makes a post that is there known to all. */
  #note(uri: string): void {
    const cid = this.records.get(uri)
    if (cid !== undefined && partsOf(uri)[1] === POST) {
      this.#load.notePost({ uri, cid: formatCid(cid), lane: this.#number })
    }
  }

  #withSubject(collection: string, subject: string): string[] {
    return [...this.records.keys()].filter(
      (uri) => partsOf(uri)[1] === collection && this.#subjects.get(uri) === subject,
    )
  }

  #place(collection: string) {
    const rkey = clock.next()
    const repo = this.#person.did
    return { repo, collection, rkey, uri: `at://${repo}/${collection}/${rkey}` }
  }

  #ofOwn(collection?: string): string | undefined {
    const uris = [...this.records.keys()].filter(
      (uri) => collection === undefined || partsOf(uri)[1] === collection,
    )
    return uris.length === 0 ? undefined : this.#load.random.pick(uris)
  }

  #post(): RecordJson {
    const { random, posts } = this.#load
    const post = { $type: POST, text: `post ${random.below(1e9)}`, createdAt: now() }
    const other = posts.length > 0 ? strongRef(random.pick(posts)) : undefined
    const image = this.#blob && { $type: 'blob', ...this.#blob }
    switch (random.below(4)) {
      case 0:
        return other ? { ...post, reply: { root: other, parent: other } } : post
      case 1:
        return other ? { ...post, embed: { $type: 'app.bsky.embed.record', record: other } } : post
      case 2:
        return image
          ? { ...post, embed: { $type: 'app.bsky.embed.images', images: [{ alt: '', image }] } }
          : post
      default:
        return post
    }
  }

  /** A like, a repost or a follow. Lanes of one person never have the same subject. */
  #reaction(): RecordJson {
    const { random, posts, people } = this.#load
    const $type = random.pick([LIKE, LIKE, REPOST, FOLLOW])
    if ($type === FOLLOW) {
      const others = people.filter((_, i) => i % lanesPerPerson === this.#number)
      if (others.length > 0) return { $type, subject: random.pick(others).did, createdAt: now() }
    }
    const mine = posts.filter(({ lane }) => lane === this.#number).slice(-20)
    if ($type === FOLLOW || mine.length === 0) return this.#post()
    return { $type, subject: strongRef(random.pick(mine)), createdAt: now() }
  }
}

function subjectOf(record: object): string {
  const { subject } = record as { subject: string | { uri: string } }
  return typeof subject === 'string' ? subject : subject.uri
}

const now = () => new Date().toISOString()
const cidOf = (record: object): Cid => cidForCbor(encode(jsonToValue(record)))
const strongRef = ({ uri, cid }: Post) => ({ uri, cid })

function partsOf(uri: string): [did: string, collection: string, rkey: string] {
  const [, , did = '', collection = '', rkey = ''] = uri.split('/')
  return [did, collection, rkey]
}
