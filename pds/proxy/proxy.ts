/**
 * Requests that other services answer: passed on in the caller's name, with a token signed by the
 * caller's key, and answered as the service does. https://atproto.com/specs/xrpc#service-proxying
 *
 * Bodies stream both ways. Only the headers named here go out, and only those named here come back.
 * What is put into answers that are behind the caller's own writes is in `views.ts`.
 */

import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { buildProxiedContentEncoding } from '@atproto-labs/xrpc-utils'
import type { Response } from 'express'
import { DomainError } from '#platform/errors.ts'
import { logger } from '#platform/log.ts'
import { markAccount } from '#platform/request-log.ts'
import type { SessionScope } from '../accounts/sessions.ts'
import { forbidCaching } from '../auth/caching.ts'
import { type IsProtected, isForOwnPassword, isPrivileged } from '../auth/methods.ts'
import type { PermissionRule } from '../auth/permissions.ts'
import type { ServiceTokens } from '../auth/service-tokens.ts'
import type { AuthVerifier } from '../auth/verifier.ts'
import type { Destination, Destinations } from './destinations.ts'
import { header, REPO_REV_HEADER, type Upstream, type UpstreamRequest } from './upstream.ts'

/** An answer as it comes, to be handed on. */
export interface PassedAnswer {
  /** The content type. */
  readonly encoding: string
  readonly headers: Record<string, string>
  readonly stream: Readable
}

/** In whose name a request goes out. */
export interface Sender {
  readonly did: string
  /** Who the token is made out to; left out, the service that the request goes to. */
  readonly audience?: string
  /** What the token is for; left out, the method of the request. */
  readonly method?: string
}

const PASSED_TYPE_DEFAULT = 'application/json'

/** A request, and the method that it is for. */
export interface ProxiedCall {
  readonly nsid: string
  readonly request: IncomingMessage
}

interface Deps {
  readonly upstream: Upstream
  readonly destinations: Destinations
  readonly auth: AuthVerifier
  readonly tokens: ServiceTokens
  readonly isProtected: IsProtected
}

export class ServiceProxy {
  readonly #deps: Deps
  readonly #preferCompressed: boolean
  readonly #log = logger('proxy')

  constructor(deps: Deps, { preferCompressed }: { preferCompressed: boolean }) {
    this.#deps = deps
    this.#preferCompressed = preferCompressed
  }

  /**
   * Answers a request for a method that is not served here: the one way in for whatever other
   * services offer.
   * @throws DomainError, AuthError, UpstreamError, UpstreamUnreachableError; then nothing was
   * answered yet
   */
  async forward({ nsid, request }: ProxiedCall, response: Response): Promise<void> {
    const { method } = request
    if (method !== 'GET' && method !== 'HEAD' && method !== 'POST') {
      throw new DomainError('invalid', 'XRPC requests only supports GET and POST')
    }
    if (this.#deps.isProtected(nsid)) throw new DomainError('invalid', 'Bad token method', 'InvalidToken')
    const destination = await this.#deps.destinations.find(nsid, proxyHeader(request))
    forbidCaching(response)
    const audience = `${destination.did}#${destination.serviceId}`
    const credentials = await this.#deps.auth.access(
      { request, response },
      { permission: (permissions) => permissions.assertRpc({ lxm: nsid, aud: audience }) },
    )
    const { did } = credentials
    markAccount(request, did)
    const isPlain = credentials.type === 'access' && !isPrivilegedScope(credentials.scope)
    const isByAppPassword = credentials.type === 'access' && credentials.scope !== 'com.atproto.access'
    if ((isPlain && isPrivileged(nsid)) || (isByAppPassword && isForOwnPassword(nsid)))
      throw new DomainError('invalid', 'Bad token method', 'InvalidToken')

    const body = method === 'POST' ? request : undefined
    const gone = new AbortController()
    response.once('close', () => gone.abort())
    const asked = this.#deps.upstream.request({
      origin: destination.url,
      method,
      path: pathOf(request),
      body,
      signal: gone.signal,
      headers: {
        'accept-encoding': header(request.headers, 'accept-encoding') || 'identity',
        ...passedHeaders(request.headers),
        'content-type': body && request.headers['content-type'],
        'content-encoding': body && request.headers['content-encoding'],
        'content-length': body && request.headers['content-length'],
        authorization: await this.#authorization({ did }, destination, nsid),
      },
    })
    const answer = await asked.catch((error: unknown) => {
      if (!gone.signal.aborted) throw error
    })
    // Nobody waits for it any more.
    if (answer === undefined) return
    response.statusCode = answer.status
    for (const [name, value] of answeredHeaders(answer.headers)) response.setHeader(name, value)
    try {
      await pipeline(answer.body, response)
    } catch (error) {
      // The answer has begun: all that can be said now is that it broke off.
      this.#log.info({ err: error, nsid, service: destination.did }, 'a passed answer broke off')
    }
  }

  /**
   * Passes on a query that was parsed here already.
   * @param sender left out for a request in nobody's name
   * @throws DomainError, AuthError, UpstreamError, UpstreamUnreachableError
   */
  async pass({ nsid, request }: ProxiedCall, sender?: Sender): Promise<PassedAnswer> {
    // Only who has an account here says where a request goes: this is no relay to hosts that
    // strangers name.
    const destination = await this.#deps.destinations.find(nsid, sender && proxyHeader(request))
    const { headers, body } = await this.#deps.upstream.request({
      origin: destination.url,
      method: request.method === 'HEAD' ? 'HEAD' : 'GET',
      path: pathOf(request),
      headers: {
        ...passedHeaders(request.headers),
        // What comes back may have to be understood here and by the caller both.
        'accept-encoding': buildProxiedContentEncoding(
          header(request.headers, 'accept-encoding'),
          this.#preferCompressed,
        ),
        authorization: sender && (await this.#authorization(sender, destination, nsid)),
      },
    })
    return {
      encoding: header(headers, 'content-type') ?? PASSED_TYPE_DEFAULT,
      headers: Object.fromEntries(answeredHeaders(headers)),
      stream: body,
    }
  }

  /**
   * Passes on a procedure whose JSON input was parsed here already.
   * @param destination left out: where the request is meant to go
   * @throws DomainError, AuthError, UpstreamError, UpstreamUnreachableError
   */
  async send(call: ProxiedCall, sender: Sender, input: unknown, destination?: Destination): Promise<void> {
    await this.#deps.upstream.read(
      await this.#deps.upstream.request(await this.#post(call, sender, input, destination)),
    )
  }

  /**
   * The same, and the JSON that the procedure answers.
   * @throws DomainError, AuthError, UpstreamError, UpstreamUnreachableError
   */
  async ask(call: ProxiedCall, sender: Sender, input: unknown): Promise<unknown> {
    return this.#deps.upstream.json(await this.#post(call, sender, input))
  }

  /**
   * What an app must have been allowed to have a request passed on to the service that it is meant
   * for.
   * @param nsid the method that is asked for
   * @param more other methods that the service is asked for with it
   */
  permission(nsid: string, ...more: string[]): PermissionRule {
    return (permissions, request) => {
      const aud = this.#deps.destinations.audience(nsid, proxyHeader(request))
      for (const lxm of [nsid, ...more]) permissions.assertRpc({ lxm, aud })
    }
  }

  /** Whether a request is meant for the AppView of this server. */
  isForAppView({ nsid, request }: ProxiedCall): boolean {
    return this.#deps.destinations.isAppView(nsid, proxyHeader(request))
  }

  async #post(
    { nsid, request }: ProxiedCall,
    sender: Sender,
    input: unknown,
    destination?: Destination,
  ): Promise<UpstreamRequest> {
    const target = destination ?? (await this.#deps.destinations.find(nsid, proxyHeader(request)))
    return {
      origin: target.url,
      method: 'POST',
      path: `/xrpc/${nsid}`,
      body: JSON.stringify(input),
      headers: {
        'content-type': 'application/json',
        authorization: await this.#authorization(sender, target, nsid),
      },
    }
  }

  /** @throws AuthError when there is no such account any more */
  async #authorization(sender: Sender, { did }: Destination, nsid: string): Promise<string> {
    const account = this.#deps.auth.account(sender.did, {})
    const token = await this.#deps.tokens.sign(account, {
      audience: sender.audience ?? did,
      method: sender.method ?? nsid,
    })
    return `Bearer ${token}`
  }
}

const isPrivilegedScope = (scope: SessionScope): boolean =>
  scope === 'com.atproto.access' || scope === 'com.atproto.appPassPrivileged'

const proxyHeader = (request: IncomingMessage): string | undefined => header(request.headers, 'atproto-proxy')

const pathOf = (request: IncomingMessage): string => request.url ?? '/'

/** What a service is told of the caller's own headers. */
function passedHeaders(headers: IncomingHttpHeaders): UpstreamRequest['headers'] {
  const passed: Record<string, string | string[] | undefined> = {
    'accept-language': headers['accept-language'],
    'atproto-accept-labelers': headers['atproto-accept-labelers'],
    'x-bsky-topics': headers['x-bsky-topics'],
  }
  for (const name in headers) if (name.startsWith('x-atproto-')) passed[name] = headers[name]
  return passed
}

const ANSWERED_HEADERS = [
  'content-length',
  'content-encoding',
  'content-type',
  'content-language',
  REPO_REV_HEADER,
  'atproto-content-labelers',
  'retry-after',
]

/** What the caller is told of a service's own headers. */
function* answeredHeaders(headers: IncomingHttpHeaders): Generator<[string, string]> {
  for (const name of ANSWERED_HEADERS) {
    const value = header(headers, name)
    if (value !== undefined) yield [name, value]
  }
}
