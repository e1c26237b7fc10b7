/**
 * The routes of OAuth: metadata, the endpoints that apps call, the sign-in, consent and account pages.
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

/** Cuts what a browser says of itself, so that what the library compares with what was kept is the same. */
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
      // What a client or a person did wrong is told to them; the operator hears of what went wrong here.
      const status = error instanceof OAuthError ? error.statusCode : statusOf(error)
      if (!isTheirs(status, request)) log.error({ err: error, todo: 'report this with the stack' }, message)
      // The library would answer that the token is revoked. What is thrown here it makes the answer, and says so once more.
      if (error instanceof NotRevokedError && !refused.has(error)) {
        refused.add(error)
        throw error
      }
    },
  })
  // The library unpacks bodies of any size, and takes one that does not unpack for a fault of its own. Apps send them as they are.
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
