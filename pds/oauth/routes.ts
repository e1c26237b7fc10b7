/**
 * The routes of OAuth: metadata, the endpoints that apps call, the sign-in, consent and account
 * pages.
 *
 * A page that is to come before one of the library's is mounted before this router.
 */
import { OAuthError } from '@atproto/oauth-provider/errors'
import { oauthMiddleware } from '@atproto/oauth-provider/middleware'
import { buildProtectedResourceMetadata } from '@atproto/oauth-provider/utils'
import { type RequestHandler, Router } from 'express'
import { isTheirs, statusOf } from '#platform/express.ts'
import type { Logger } from '#platform/log.ts'
import { USER_AGENT_CHARACTERS_MAX } from './device-store.ts'
import { NotRevokedError, type OAuthProvider } from './provider.ts'

/** Truncates the user agent, so that it equals the stored one when the library compares them. */
export const cutUserAgent: RequestHandler = ({ headers }, _response, next) => {
  const userAgent = headers['user-agent']
  if (userAgent !== undefined) headers['user-agent'] = userAgent.slice(0, USER_AGENT_CHARACTERS_MAX)
  next()
}

export function oauthRoutes(provider: OAuthProvider, { log }: { log: Logger }): Router {
  const router = Router()
  const metadata = buildProtectedResourceMetadata({
    resource: provider.issuer,
    authorization_servers: [provider.issuer],
    bearer_methods_supported: ['header'],
    scopes_supported: [],
    resource_documentation: 'https://atproto.com',
  })
  router.get('/.well-known/oauth-protected-resource', (_, response) => {
    response.setHeader('Access-Control-Allow-Origin', '*')
    response.setHeader('Access-Control-Allow-Headers', '*')
    response.json(metadata)
  })
  const refused = new WeakSet<NotRevokedError>()
  const library = oauthMiddleware(provider, {
    onError: (request, _response, error, message) => {
      // Errors of clients and users go to them; the operator's log has the server's own.
      const status = error instanceof OAuthError ? error.statusCode : statusOf(error)
      if (!isTheirs(status, request)) log.error({ err: error, todo: 'report this with the stack' }, message)
      // The library would report success. Throwing makes the error the response, and the library
      // then calls this once more.
      if (error instanceof NotRevokedError && !refused.has(error)) {
        refused.add(error)
        throw error
      }
    },
  })
  // The library inflates bodies of any size, and reports malformed ones as server errors. Clients
  // send them uncompressed.
  router.use((request, response, next) => {
    const encoding = request.headers['content-encoding']
    if (encoding === undefined || encoding === 'identity') return next()
    const message = {
      error: 'invalid_request',
      error_description: 'Send the body without a content encoding',
    }
    response.status(415).set('Accept-Encoding', 'identity').json(message)
  })
  // The library takes a path that is none, as `//`, for a fault of its own.
  router.use((request, response, next) =>
    URL.canParse(request.url, provider.issuer) ? library(request, response, next) : next(),
  )
  return router
}
