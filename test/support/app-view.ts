/**
 * A stand-in for the services that a PDS passes requests on to (AppView, labeler, notifications):
 * records what reaches it, answers as told.
 */
import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { decodeJwt } from 'jose'
import { generateKey, type SigningKey } from '#protocol/keys.ts'

/** A request as it came. */
export interface Received {
  readonly method: string
  /** With its query. */
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
  /** What its token says. */
  readonly token: Record<string, unknown> | undefined
}

/** What a method answers: JSON under the usual headers, or whatever a function does. */
export type StandInAnswer =
  | { readonly status?: number; readonly headers?: Record<string, string>; readonly body: unknown }
  | ((request: Received, response: ServerResponse) => void)

export interface AppViewStandIn extends AsyncDisposable {
  /** Without a slash at the end. */
  readonly url: string
  /**
   * A did:web, whose document names the services `#bsky_appview`, `#atproto_labeler`, `#bsky_notif`
   * and `#other`.
   */
  readonly did: string
  /** Signs its own service tokens. */
  readonly key: SigningKey
  /** Everything that came, but for questions about the DID document. */
  readonly received: Received[]
  /** By NSID; a method that is not here answers what it was asked. */
  readonly answers: Map<string, StandInAnswer>
}

/** Starts a stand-in on a free port. */
export async function startAppView(): Promise<AppViewStandIn> {
  const server = createServer(async (request, response) => {
    if (request.url === '/.well-known/did.json') return sendJson(response, 200, document(standIn))
    const received = await readRequest(request)
    standIn.received.push(received)
    const nsid = received.path.split('?', 1)[0]?.replace('/xrpc/', '') ?? ''
    const answer = standIn.answers.get(nsid)
    if (typeof answer === 'function') return answer(received, response)
    const { status = 200, headers = {}, body } = answer ?? { body: { asked: nsid } }
    sendJson(response, status, body, headers)
  })
  await once(server.listen(0), 'listening')
  const { port } = server.address() as AddressInfo
  const standIn: AppViewStandIn = {
    url: `http://localhost:${port}`,
    did: `did:web:localhost%3A${port}`,
    key: generateKey(),
    received: [],
    answers: new Map(),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
  return standIn
}

/** The variables of a PDS that name the stand-in as every service there is. */
export function appViewEnv({ url, did }: AppViewStandIn): Record<string, string> {
  return {
    PDS_BSKY_APP_VIEW_URL: url,
    PDS_BSKY_APP_VIEW_DID: did,
    PDS_BSKY_APP_VIEW_CDN_URL_PATTERN: 'https://cdn.test/%s/%s/%s',
    PDS_MOD_SERVICE_URL: url,
    PDS_MOD_SERVICE_DID: did,
    PDS_REPORT_SERVICE_URL: url,
    PDS_REPORT_SERVICE_DID: did,
  }
}

function document({ did, url, key }: AppViewStandIn): object {
  const service = (name: string, type: string) => ({ id: `#${name}`, type, serviceEndpoint: url })
  return {
    id: did,
    verificationMethod: [
      {
        id: `${did}#atproto`,
        type: 'Multikey',
        controller: did,
        publicKeyMultibase: key.did.slice('did:key:'.length),
      },
    ],
    service: [
      service('bsky_appview', 'BskyAppView'),
      service('atproto_labeler', 'AtprotoLabeler'),
      service('bsky_notif', 'BskyNotificationService'),
      service('other', 'Other'),
    ],
  }
}

async function readRequest(request: IncomingMessage): Promise<Received> {
  const { method = '', url: path = '', headers } = request
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  const token = headers.authorization?.replace('Bearer ', '')
  return { method, path, headers, body: Buffer.concat(chunks), token: token ? decodeJwt(token) : undefined }
}

function sendJson(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers })
  response.end(JSON.stringify(body))
}
