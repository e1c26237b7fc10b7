/**
 * Read-after-write: an AppView's answer says which revision of the caller's repository it has seen;
 * what the caller wrote since is put into the answer here, so that a person sees his own post at
 * once. An answer that is up to date streams through untouched.
 */
import type { IncomingMessage } from 'node:http'
import { AtUri } from '@atproto/syntax'
import { assertValidOutput } from '#platform/lexicons.ts'
import { logger } from '#platform/log.ts'
import { formatCid } from '#protocol/cid.ts'
import { recordToJsonText } from '#protocol/record.ts'
import type { Accounts } from '../accounts/accounts.ts'
import type { AuthVerifier } from '../auth/verifier.ts'
import type { RecentRecord, RepoReader } from '../repo/read.ts'
import type { Account } from '../store/accounts.ts'
import type { AppView } from './app-view.ts'
import { UpstreamError } from './errors.ts'
import { type ImageUrls, type Json, type LocalRecord, LocalView } from './local-view.ts'
import { type LocalRecords, newThread, type PatchedView, patches, uriOf } from './patches.ts'
import type { PassedAnswer, ServiceProxy } from './proxy.ts'
import { mayBeJson, REPO_REV_HEADER, type Upstream } from './upstream.ts'

/** An answer that was read here, and may have been changed. */
export interface ReadAnswer {
  readonly encoding: string
  readonly headers: Record<string, string>
  readonly buffer: Buffer
}

const PROFILE = { collection: 'app.bsky.actor.profile', rkey: 'self' }
const POSTS = 'app.bsky.feed.post'
const THREAD = 'app.bsky.feed.getPostThread'
const JSON_TYPE = 'application/json; charset=utf-8'
/** Says how many milliseconds the AppView is behind. */
const LAG_HEADER = 'Atproto-Upstream-Lag'

interface Deps {
  readonly proxy: ServiceProxy
  readonly upstream: Upstream
  readonly appView: AppView
  readonly auth: AuthVerifier
  readonly accounts: Accounts
  readonly reader: RepoReader
}

export class Views {
  readonly #deps: Deps
  readonly #images: ImageUrls
  readonly #log = logger('read-after-write')

  constructor(deps: Deps, images: ImageUrls) {
    this.#deps = deps
    this.#images = images
  }

  /**
   * The answer to a request for a view, with the caller's own writes in it.
   * @throws DomainError, AuthError, UpstreamError, UpstreamUnreachableError
   */
  async get(nsid: PatchedView, request: IncomingMessage, did: string): Promise<PassedAnswer | ReadAnswer> {
    const account = this.#deps.auth.account(did, {})
    let answer: PassedAnswer
    try {
      answer = await this.#deps.proxy.pass({ nsid, request }, { did })
    } catch (error) {
      const thread =
        nsid === THREAD && error instanceof UpstreamError
          ? await this.#unknownThread(error, request, account)
          : undefined
      if (thread === undefined) throw error
      return thread
    }
    const rev = answer.headers[REPO_REV_HEADER]
    if (rev === undefined || !mayBeJson(answer.headers['content-type'])) return answer
    const records = this.#deps.reader.recentRecords(account, rev)
    return records.length === 0 ? answer : this.#patched(nsid, answer, account, records)
  }

  async #patched(
    nsid: PatchedView,
    answer: PassedAnswer,
    account: Account,
    records: readonly RecentRecord[],
  ): Promise<ReadAnswer> {
    const buffer = await this.#deps.upstream.read({ headers: answer.headers, body: answer.stream })
    try {
      const body = JSON.parse(buffer.toString('utf8')) as Json
      assertValidOutput(nsid, body)
      const local = localRecords(account.did, records)
      return patchedAnswer(await patches[nsid](this.#view(account), body, local, account.did), local)
    } catch (error) {
      // A view without the newest posts is better than none.
      this.#log.warn(
        {
          err: error,
          nsid,
          did: account.did,
          todo: 'nothing is lost: the answer went out without the newest own writes; report it if it goes on',
        },
        'an answer could not be patched',
      )
      const { 'content-encoding': _encoding, 'content-length': _length, ...headers } = answer.headers
      return { encoding: answer.encoding, headers, buffer }
    }
  }

  /**
   * The thread of a post of the caller's own that the AppView does not know yet; undefined when it
   * is not that.
   */
  async #unknownThread(
    { code, rev }: UpstreamError,
    request: IncomingMessage,
    account: Account,
  ): Promise<ReadAnswer | undefined> {
    if (code !== 'NotFound' || rev === undefined) return undefined
    const { searchParams } = new URL(request.url ?? '/', 'http://localhost')
    const uri = new AtUri(searchParams.get('uri') ?? '')
    const author = uri.host.startsWith('did:') ? uri.host : this.#deps.accounts.find(uri.host)?.did
    if (author !== account.did) return undefined
    const local = localRecords(account.did, this.#deps.reader.recentRecords(account, rev))
    const wanted = `at://${author}/${uri.collection}/${uri.rkey}`
    const post = local.posts.find((post) => post.uri === wanted)
    if (post === undefined) return undefined
    const others = local.posts.filter((other) => other !== post)
    const thread = await newThread(this.#view(account), post, others)
    const parent = uriOf(post.record, 'parent')
    const parents = parent && (await this.#parents(parent, searchParams.get('parentHeight'), account))
    return patchedAnswer({ thread: { ...thread, parent: parents || undefined } }, local)
  }

  /**
   * What a post answers, as the AppView shows it; undefined when it does not, or cannot be asked.
   */
  async #parents(uri: string, parentHeight: string | null, account: Account): Promise<Json | undefined> {
    try {
      const params = { uri, parentHeight: parentHeight ?? undefined, depth: 0 }
      return ((await this.#deps.appView.query(THREAD, params, account)) as { thread?: Json }).thread
    } catch (error) {
      const isAnswer = error instanceof UpstreamError && error.status < 500
      if (!isAnswer) {
        this.#log.warn(
          {
            err: error,
            uri,
            did: account.did,
            todo: 'see whether the AppView answers: the thread went out without the posts above; report it if it goes on',
          },
          'the parents of a new reply cannot be read',
        )
      }
      return undefined
    }
  }

  #view(account: Account): LocalView {
    const profile = this.#deps.reader.record(account, PROFILE)
    return new LocalView(account, profile && recordJson(profile.block), this.#deps.appView, this.#images)
  }
}

function localRecords(did: string, records: readonly RecentRecord[]): LocalRecords {
  const local = ({ collection, rkey, cid, writtenAt, block }: RecentRecord): LocalRecord => ({
    uri: `at://${did}/${collection}/${rkey}`,
    cid: formatCid(cid),
    indexedAt: writtenAt,
    record: recordJson(block),
  })
  const profile = records.find(
    ({ collection, rkey }) => collection === PROFILE.collection && rkey === PROFILE.rkey,
  )
  return {
    profile: profile && local(profile),
    posts: records.filter(({ collection }) => collection === POSTS).map(local),
  }
}

function patchedAnswer(body: Json, { profile, posts }: LocalRecords): ReadAnswer {
  const times = [profile, ...posts].flatMap((record) =>
    record === undefined ? [] : Date.parse(record.indexedAt),
  )
  const lag = Date.now() - Math.min(...times)
  return {
    encoding: JSON_TYPE,
    headers: times.length === 0 ? {} : { [LAG_HEADER]: String(lag) },
    buffer: Buffer.from(JSON.stringify(body)),
  }
}

const recordJson = (block: Uint8Array): Json => JSON.parse(recordToJsonText(block)) as Json
