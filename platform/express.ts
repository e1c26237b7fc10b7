/**
 * What Express 4 and the libraries on it leave to their callers: promises, requests that name no
 * host, and telling whose mistake an error is.
 */
import type { IncomingMessage } from 'node:http'
import type { ErrorRequestHandler, Express, Request, RequestHandler, Response } from 'express'
import type { Logger } from './log.ts'

/**
 * A handler whose failure goes to the error handler. Express does not wait for a promise, and one
 * that rejects unheard ends the process: every asynchronous handler goes through here.
 */
export const awaited =
  (handle: (request: Request, response: Response) => Promise<void>): RequestHandler =>
  (request, response, next) => {
    handle(request, response).catch((error: unknown) => next(error ?? new Error('a handler failed')))
  }

/**
 * The host that a request is for, in lower case and without its port; a trusted proxy's
 * `X-Forwarded-Host` goes first. Empty for a request that names none, as HTTP/1.0 allows.
 */
export const hostOf = (request: Request): string =>
  // Typed as always there, which it is not.
  (request.hostname as string | undefined)?.toLowerCase() ?? ''

/**
 * Answers what went wrong outside XRPC: a client's mistake, such as a form that cannot be read, as
 * its parser says it; the rest as a fault.
 */
export const errorHandler =
  (log: Logger): ErrorRequestHandler =>
  (error: unknown, request, response, _next) => {
    const status = statusOf(error)
    logFailure(log, { err: error, path: request.path, status, request }, 'a request failed')
    if (response.headersSent) return cutOff(response)
    const isTold = status !== undefined && status < 500
    response
      .status(isTold ? status : 500)
      .type('text/plain')
      .send(isTold ? 'Bad Request' : 'Internal Server Error')
  }

/**
 * Has `@atproto/xrpc-server` log by `log`, through which it writes a line for every request that
 * fails: at the level of an error only what is one of the server's.
 */
export function logFailuresOf(app: Express, log: Logger): void {
  Object.defineProperty(app.request, 'log', {
    get(this: Request) {
      return {
        error: ({ err, nsid, status }: { err: unknown; nsid?: string; status?: number }, message: string) => {
          logFailure(log, { err, nsid, status, request: this }, message)
        },
      }
    },
  })
  // Express would write what the line says once more, past the log.
  app.use(((error, _request, response, next) =>
    response.headersSent ? cutOff(response) : next(error)) satisfies ErrorRequestHandler)
}

/**
 * A response that has begun cannot turn into an error: its end is missing, and the client sees
 * that.
 */
const cutOff = (response: Response): void => void response.destroy()

const UPSTREAM_STATUSES = new Set([502, 503, 504])

/**
 * One line for a request that failed: an error when the server failed, a warning when another
 * service did.
 */
function logFailure(
  log: Logger,
  {
    request,
    ...fields
  }: { err: unknown; status?: number; request: IncomingMessage; [more: string]: unknown },
  message: string,
): void {
  const { err, status } = fields
  // A method that nobody here serves (501) is asked for by mistake.
  const isTold =
    status === 501 || isTheirs(status, request) || (err as { isLogged?: boolean } | null)?.isLogged
  if (isTold) log.info(fields, message)
  else if (UPSTREAM_STATUSES.has(status ?? 500))
    log.warn({ ...fields, todo: 'see whether the service that was asked answers' }, message)
  else log.error({ ...fields, todo: 'report this with the stack' }, message)
}

/**
 * Whether a request failed by what its client did: its own mistake, told by a status, or that it
 * went away.
 */
export const isTheirs = (status: number | undefined, request: IncomingMessage): boolean =>
  (status !== undefined && status < 500) || isGone(request)

/**
 * Whether the client of a request went away before it was answered; a socket that was reset has no
 * address before it is destroyed.
 */
const isGone = ({ socket }: IncomingMessage): boolean =>
  // Typed as always there; a pipeline that breaks off takes it away.
  (socket as IncomingMessage['socket'] | null)?.remoteAddress === undefined || socket.destroyed

/** The status that an error of a parser names. */
export function statusOf(error: unknown): number | undefined {
  const { status } = (error ?? {}) as { status?: unknown }
  return typeof status === 'number' && status >= 400 && status < 600 ? status : undefined
}

/** Levels of JSON in a request, unless a service takes more; definitions have less. */
const JSON_DEPTH_MAX = 128

/** Its name is the XRPC error's. */
class DeepJsonError extends Error {
  override name = 'InvalidRequest'
  constructor(levels: number) {
    super(`The input has more than ${levels} levels`)
  }
}

const BODY = Symbol('body')

/**
 * Refuses bodies of JSON that are nested deeper than `levels`, as they are parsed: before
 * validators, which call themselves for each level.
 */
export function refuseDeepJson(app: Express, levels = JSON_DEPTH_MAX): void {
  Object.defineProperty(app.request, 'body', {
    get(this: { [BODY]?: unknown }) {
      return this[BODY]
    },
    set(this: { [BODY]?: unknown }, body: unknown) {
      // Parsers put an empty one there first, validators what they made of it afterwards.
      const isChecked = Object.keys(this[BODY] ?? {}).length > 0
      if (!isChecked && isDeeper(body, levels)) throw new DeepJsonError(levels)
      this[BODY] = body
    },
  })
}

/** Every request with a body goes through here: leaves are told apart without a call. */
function isDeeper(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return false
  if (levels === 0) return true
  if (Array.isArray(value)) {
    for (const item of value) if (typeof item === 'object' && isDeeper(item, levels - 1)) return true
    return false
  }
  for (const key in value) {
    const item = (value as Record<string, unknown>)[key]
    if (typeof item === 'object' && isDeeper(item, levels - 1)) return true
  }
  return false
}
