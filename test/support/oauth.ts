/**
 * Signing in by OAuth without a browser: apps of the official library, and a person who does over
 * HTTP what the pages do.
 */
import { createHash, randomUUID } from 'node:crypto'
import {
  JoseKey,
  NodeOAuthClient,
  type NodeOAuthClientOptions,
  type OAuthSession,
} from '@atproto/oauth-client-node'
import { importJWK, type JWK, SignJWT } from 'jose'
import { request } from 'undici'
import { PASSWORD } from './pds.ts'

/** Where apps want people back; nobody listens there. */
export const REDIRECT_URI = 'http://127.0.0.1:9/callback'
const API = '/@atproto/oauth-provider/~api'
const REDIRECTS_MAX = 6

/** An answer of the pages' own interface. */
export interface PageAnswer {
  readonly status: number
  // biome-ignore lint/suspicious/noExplicitAny: tests say what they expect
  readonly body: any
}

/** Somebody with a browser: its cookies, the page that is open, and what its scripts call. */
export class Visitor {
  readonly #origin: string
  readonly #headers: Readonly<Record<string, string>>
  readonly #cookies = new Map<string, string>()
  #page = ''

  /**
   * @param cookies those that the browser has from before, as a header
   * @param headers what it sends with every request besides
   */
  constructor(pds: { url: string }, cookies = '', headers: Readonly<Record<string, string>> = {}) {
    this.#origin = pds.url
    this.#headers = headers
    for (const pair of cookies.split('; ')) {
      const [name = '', value = ''] = pair.split(/=(.*)/)
      if (name !== '') this.#cookies.set(name, value)
    }
  }

  /**
   * Opens a page as a link elsewhere would. @returns the address that it leads to outside the
   * server, or the page's text
   */
  async open(url: string): Promise<{ status: number; text: string; leftTo?: URL }> {
    let next = new URL(url, this.#origin)
    for (let n = 0; n < REDIRECTS_MAX; n++) {
      const answer = await request(next, {
        headers: {
          ...this.#headers,
          'sec-fetch-mode': 'navigate',
          'sec-fetch-dest': 'document',
          'sec-fetch-site': 'same-origin',
          'sec-fetch-user': '?1',
          ...(this.#page !== '' && { referer: this.#page }),
          'accept-language': 'en',
          cookie: this.cookies(),
        },
      })
      this.#keepCookies(answer.headers['set-cookie'])
      const text = await answer.body.text()
      const { location } = answer.headers
      if (location === undefined) {
        this.#page = next.href
        return { status: answer.statusCode, text }
      }
      next = new URL(String(location), next)
      if (next.origin !== this.#origin) return { status: answer.statusCode, text, leftTo: next }
    }
    throw new Error('too many redirects')
  }

  /** Sends a form of the open page. @returns the page that answers it */
  async submit(path: string, fields: Record<string, string>): Promise<{ status: number; text: string }> {
    const answer = await request(new URL(path, this.#origin), {
      method: 'POST',
      headers: {
        'sec-fetch-mode': 'navigate',
        'sec-fetch-site': 'same-origin',
        origin: this.#origin,
        cookie: this.cookies(),
        'content-type': 'application/x-www-form-urlencoded',
      },
      body: new URLSearchParams(fields).toString(),
    })
    this.#keepCookies(answer.headers['set-cookie'])
    return { status: answer.statusCode, text: await answer.body.text() }
  }

  /**
   * What the open page's script asks the server. `input` goes as JSON, or, with GET, as parameters.
   */
  async call(
    endpoint: string,
    input: Record<string, unknown>,
    { method = 'POST', token }: { method?: 'GET' | 'POST'; token?: string } = {},
  ): Promise<PageAnswer> {
    const url = new URL(API + endpoint, this.#origin)
    if (method === 'GET')
      for (const [name, value] of Object.entries(input)) url.searchParams.set(name, String(value))
    const answer = await request(url, {
      method,
      headers: {
        ...this.#headers,
        'sec-fetch-mode': 'same-origin',
        'sec-fetch-site': 'same-origin',
        'sec-fetch-dest': 'empty',
        origin: this.#origin,
        referer: this.#page,
        'x-csrf-token': this.#cookies.get('csrf-token') ?? '',
        cookie: this.cookies(),
        ...(method === 'POST' && { 'content-type': 'application/json' }),
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
      },
      body: method === 'POST' ? JSON.stringify(input) : undefined,
    })
    this.#keepCookies(answer.headers['set-cookie'])
    return { status: answer.statusCode, body: await answer.body.json() }
  }

  /** Signs in on the open page; remembered unless told otherwise. */
  signIn(username: string, password = PASSWORD, more: Record<string, unknown> = {}): Promise<PageAnswer> {
    return this.call('/sign-in', { locale: 'en', username, password, remember: true, ...more })
  }

  /** Lets the app of the open page in. @returns what the app is told */
  async consent(did: string, token?: string): Promise<URLSearchParams> {
    return this.#leave(await this.call('/consent', { did }, { token }))
  }

  /** Turns the app of the open page away. @returns what the app is told */
  async reject(): Promise<URLSearchParams> {
    return this.#leave(await this.call('/reject', {}))
  }

  async #leave({ status, body }: PageAnswer): Promise<URLSearchParams> {
    if (status !== 200) throw new Error(`the page was refused: ${status} ${JSON.stringify(body)}`)
    const { leftTo } = await this.open(body.url)
    if (leftTo === undefined) throw new Error('nobody was led back to the app')
    return leftTo.searchParams
  }

  /** What the browser sends of them, as a header. */
  cookies(): string {
    return [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; ')
  }

  #keepCookies(headers: string | string[] | undefined): void {
    for (const header of [headers ?? []].flat()) {
      const [pair = '', ...attributes] = header.split(/; */)
      const [name = '', value = ''] = pair.split(/=(.*)/)
      if (attributes.some((text) => /^max-age=0$/i.test(text))) this.#cookies.delete(name)
      else this.#cookies.set(name, value)
    }
  }
}

/** What an app keeps of a session. */
export interface KeptSession {
  readonly tokenSet: { readonly access_token: string; readonly refresh_token: string }
  readonly dpopJwk: JWK
}

/** An app, and the sessions that it keeps, by DID: to be looked at, and stolen. */
export interface TestApp {
  readonly client: NodeOAuthClient
  readonly sessions: Map<string, KeptSession>
}

/**
 * An app on somebody's own machine: a public client, whose id says all that there is to know of it.
 */
export function loopbackApp(pds: { url: string }, plcUrl: string, scope: string): TestApp {
  const parameters = new URLSearchParams({ redirect_uri: REDIRECT_URI, scope })
  return makeApp(pds, plcUrl, {
    clientMetadata: {
      client_id: `http://localhost?${parameters}`,
      redirect_uris: [REDIRECT_URI],
      scope,
      response_types: ['code'],
      grant_types: ['authorization_code', 'refresh_token'],
      token_endpoint_auth_method: 'none',
      application_type: 'native',
      dpop_bound_access_tokens: true,
    },
  })
}

const APP_ORIGIN = 'https://app.example.com'
const METADATA_URL = `${APP_ORIGIN}/oauth-client-metadata.json`

/**
 * An app with a server of its own, which proves with a key who it is. `clientFetch` gets what it
 * publishes.
 */
export async function confidentialApp(plcUrl: string, scope: string) {
  const key = await JoseKey.generate(['ES256'], 'key-1')
  const metadata = {
    client_id: METADATA_URL,
    client_name: 'An app of the tests',
    client_uri: APP_ORIGIN,
    redirect_uris: [`${APP_ORIGIN}/callback`],
    scope,
    response_types: ['code'],
    grant_types: ['authorization_code', 'refresh_token'],
    token_endpoint_auth_method: 'private_key_jwt',
    token_endpoint_auth_signing_alg: 'ES256',
    application_type: 'web',
    dpop_bound_access_tokens: true,
    jwks_uri: `${APP_ORIGIN}/jwks.json`,
  } as const
  const published = new Map<string, object>([
    [METADATA_URL, metadata],
    [metadata.jwks_uri, { keys: [key.publicJwk] }],
  ])
  return {
    metadata,
    clientFetch: async (input: string | URL | Request) => {
      const url = input instanceof Request ? input.url : String(input)
      return Response.json(published.get(url) ?? {}, { status: published.has(url) ? 200 : 404 })
    },
    /** What the app proves with who it is, in a request made by hand. */
    assertion: async (issuer: string) => ({
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: await new SignJWT({ jti: randomUUID() })
        .setProtectedHeader({ alg: 'ES256', kid: 'key-1' })
        .setIssuer(METADATA_URL)
        .setSubject(METADATA_URL)
        .setAudience(issuer)
        .setIssuedAt()
        .setExpirationTime('1 minute')
        .sign(await importJWK(key.privateJwk as JWK, 'ES256')),
    }),
    on: (pds: { url: string }): TestApp =>
      makeApp(pds, plcUrl, {
        clientMetadata: metadata as unknown as NodeOAuthClientOptions['clientMetadata'],
        keyset: [key],
      }),
  }
}

function makeApp(
  pds: { url: string },
  plcUrl: string,
  options: Pick<NodeOAuthClientOptions, 'clientMetadata' | 'keyset'>,
): TestApp {
  const sessions = new Map<string, KeptSession>()
  const client = new NodeOAuthClient({
    ...options,
    allowHttp: true,
    plcDirectoryUrl: plcUrl as `http://localhost:${string}`,
    handleResolver: pds.url,
    stateStore: storeOver(new Map()),
    sessionStore: storeOver(sessions as never),
    requestLock: async (_name, work) => work(),
  })
  return { client, sessions }
}

const storeOver = <T>(kept: Map<string, T>) => ({
  get: (key: string) => kept.get(key),
  set: (key: string, value: T) => void kept.set(key, value),
  del: (key: string) => void kept.delete(key),
})

/** Signs in to an app with a new browser: authorise, sign in, consent, back. */
export async function signInToApp(
  { client }: TestApp,
  pds: { url: string },
  user: { did: string; handle: string },
  { scope, visitor = new Visitor(pds) }: { scope?: string; visitor?: Visitor } = {},
): Promise<OAuthSession> {
  await visitor.open((await client.authorize(pds.url, { scope })).href)
  const { status, body } = await visitor.signIn(user.handle)
  if (status !== 200) throw new Error(`the sign-in was refused: ${status} ${JSON.stringify(body)}`)
  const { session } = await client.callback(await visitor.consent(user.did))
  return session
}

/** Asks for an XRPC method through an app. */
export async function askThrough(
  session: OAuthSession,
  path: string,
  init?: RequestInit,
): Promise<{ status: number; headers: Headers; body: Record<string, unknown> | string }> {
  const answer = await session.fetchHandler(path, init)
  const text = await answer.text()
  const isJson = answer.headers.get('content-type')?.startsWith('application/json') === true
  return { status: answer.status, headers: answer.headers, body: isJson ? JSON.parse(text) : text }
}

/** A JSON procedure's request. */
export const procedure = (input: object): RequestInit => ({
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(input),
})

/** What a proof is about. */
export interface Proof {
  readonly method: string
  readonly url: string
  readonly nonce?: string
  readonly accessToken?: string
  /** Left out: a new one. */
  readonly id?: string
}

/**
 * A proof that somebody holds an app's key, made by hand.
 * https://datatracker.ietf.org/doc/html/rfc9449
 */
export async function prove(jwk: JWK, { method, url, nonce, accessToken, id }: Proof): Promise<string> {
  const { kty, crv, x, y } = jwk
  const alg = crv === 'secp256k1' ? 'ES256K' : 'ES256'
  const ath = accessToken && createHash('sha256').update(accessToken).digest('base64url')
  return new SignJWT({ htm: method, htu: url, jti: id ?? randomUUID(), nonce, ath })
    .setProtectedHeader({ alg, typ: 'dpop+jwt', jwk: { kty, crv, x, y } as JWK })
    .setIssuedAt()
    .sign(await importJWK({ ...jwk, key_ops: undefined }, alg))
}

/** Asks with an app's access token and a proof made by hand. */
export async function askWithProof(url: string, accessToken: string, proof: string) {
  const answer = await fetch(url, { headers: { authorization: `DPoP ${accessToken}`, dpop: proof } })
  const body = (await answer.json()) as { error?: string; message?: string }
  return { status: answer.status, headers: answer.headers, body }
}

/** The nonce that a server wants in the next proof. */
export async function nonceOf(pds: { url: string }): Promise<string> {
  const answer = await fetch(`${pds.url}/xrpc/com.atproto.server.getSession`, {
    headers: { authorization: 'DPoP none' },
  })
  await answer.body?.cancel()
  return answer.headers.get('dpop-nonce') ?? ''
}
