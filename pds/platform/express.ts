/** What Express 4 leaves to its callers: promises of handlers, and requests that name no host. */
import type { Request, RequestHandler, Response } from 'express'

/**
 * A handler whose failure goes to the error handler. Express does not wait for a promise, and one that rejects unheard ends the process:
 * every asynchronous handler goes through here.
 */
export const awaited =
  (handle: (request: Request, response: Response) => Promise<void>): RequestHandler =>
  (request, response, next) => {
    handle(request, response).catch((error: unknown) => next(error ?? new Error('a handler failed')))
  }

/**
 * The host that a request is for, in lower case and without its port; a trusted proxy's `X-Forwarded-Host` goes first. Empty for a request
 * that names none, as HTTP/1.0 allows.
 */
export const hostOf = (request: Request): string =>
  // Typed as always there, which it is not.
  (request.hostname as string | undefined)?.toLowerCase() ?? ''
