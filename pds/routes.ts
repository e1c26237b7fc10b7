/**
 * The routes that are not XRPC: the front page, robots, health, and handles of ours for who asks by
 * HTTP.
 */
import { Router } from 'express'
import { awaited, hostOf } from '#platform/express.ts'
import { statusOf } from './accounts/status.ts'
import type { Services } from './services.ts'

export const HEALTH_PATH = '/xrpc/_health'

const FRONT_PAGE = `
        _        _ _
   __ _| |_ ___ | | |
  / _\` | __/ _ \\| | |
 | (_| | || (_) | | |
  \\__,_|\\__\\___/|_|_|

This is Atoll, an AT Protocol Personal Data Server (PDS).

Most API routes are under /xrpc/

 Protocol: https://atproto.com
`

const ROBOTS = '# Crawling the public API is allowed\nUser-agent: *\nAllow: /'

export function routes({
  accounts,
  handles,
  config,
  isHealthy,
  durable,
}: Pick<Services, 'accounts' | 'handles' | 'config'> & {
  /** Whether what is stored can be read, and something more could be written. */
  isHealthy: () => Promise<boolean>
  /** Resolves when everything that can be read now is durable. */
  durable: () => Promise<void> | undefined
}): Router {
  const router = Router()
  router.get('/', (_, response) => {
    response.type('text/plain').send(FRONT_PAGE)
  })
  router.get('/robots.txt', (_, response) => {
    response.type('text/plain').send(ROBOTS)
  })
  router.get(
    HEALTH_PATH,
    awaited(async (_, response) => {
      const { version } = config
      if (await isHealthy()) response.send({ version })
      else response.status(503).send({ version, error: 'Service Unavailable' })
    }),
  )
  router.get(
    '/.well-known/atproto-did',
    awaited(async (request, response) => {
      const handle = hostOf(request)
      const account = handles.isLocal(handle) ? accounts.find(handle) : undefined
      await durable()
      if (account === undefined || statusOf(account) !== 'active') response.status(404).send('User not found')
      else response.type('text/plain').send(account.did)
    }),
  )
  // A web server in front asks this before it gets a certificate for a handle's name.
  router.get('/tls-check', (request, response) => {
    const { domain: asked } = request.query
    // Names do not depend on case.
    const domain = typeof asked === 'string' ? asked.toLowerCase() : undefined
    const refuse = (status: number, error: string, message: string) =>
      response.status(status).send({ error, message })
    if (domain === undefined || domain === '') {
      return refuse(400, 'InvalidRequest', 'bad or missing domain query param')
    }
    if (domain === config.hostname) return response.send({ success: true })
    if (!handles.serviceDomains.some((ours) => domain.endsWith(ours))) {
      return refuse(400, 'InvalidRequest', 'handles are not provided on this domain')
    }
    const account = accounts.find(domain)
    if (account === undefined || statusOf(account) !== 'active') {
      return refuse(404, 'NotFound', 'handle not found for this domain')
    }
    return response.send({ success: true })
  })
  return router
}
