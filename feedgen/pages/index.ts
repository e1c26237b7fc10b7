/** What is served beside XRPC: the DID document, health, and a front page for people. */
import { type Response, Router } from 'express'
import { awaited } from '#platform/express.ts'
import { SERVICE_ID, type Services } from '../services.ts'
import { FRONT_PAGE_POLICY, frontPage } from './front.ts'

type PageServices = Pick<Services, 'site' | 'feeds'>

export function createPages({ site, feeds }: PageServices): Router {
  const router = Router()
  router.get(
    '/',
    awaited(async (_, response) => {
      response.set('Content-Security-Policy', FRONT_PAGE_POLICY)
      response.type('html').send(frontPage(site, await feeds.list()))
    }),
  )
  router.get('/.well-known/did.json', (_, response) => sendDidDocument(response, site))
  router.get('/xrpc/_health', (_, response) => void response.json({ version: site.version }))
  router.get('/robots.txt', (_, response) => void response.type('text').send('User-agent: *\nAllow: /\n'))
  return router
}

/** A `did:web` is this host's to explain; a DID of another method has its document elsewhere. */
function sendDidDocument(response: Response, { origin, serviceDid }: Services['site']): void {
  const { host } = new URL(origin)
  if (serviceDid !== `did:web:${encodeURIComponent(host)}`) {
    response.status(404).type('text').send('The DID of this service is not one of this host.\n')
    return
  }
  response.json({
    '@context': ['https://www.w3.org/ns/did/v1'],
    id: serviceDid,
    service: [{ id: `#${SERVICE_ID}`, type: 'BskyFeedGenerator', serviceEndpoint: origin }],
  })
}
