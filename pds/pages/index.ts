/**
 * Our own pages. Mounted before the OAuth library's routes, whose account page handles everything
 * below `/account`.
 */
import express, { Router } from 'express'
import type { Services } from '../services.ts'
import { Pages, sameOriginOnly } from './page.ts'
import { SECOND_FACTOR_PATH, SECURITY_PATH } from './paths.ts'
import { scriptPath, scripts } from './scripts.ts'
import { secondFactorStep } from './second-factor.ts'
import { securityPage } from './security.ts'
import { withScript } from './with-script.ts'

const FORM_BYTES_MAX = 32 * 1024

export function pageRoutes(
  services: Pick<
    Services,
    | 'accounts'
    | 'passwordSignIn'
    | 'secondFactors'
    | 'passkeys'
    | 'passwordProofs'
    | 'sessions'
    | 'browsers'
    | 'oauthProvider'
    | 'config'
  >,
): Router {
  const { branding } = services.oauthProvider.customization
  const { origin } = new URL(services.config.publicUrl)
  const pages = new Pages(
    {
      name: branding?.name ?? services.config.branding.name,
      logo: branding?.logo,
      colors: branding?.colors ?? {},
      background: branding?.background ?? {},
    },
    origin,
  )
  const router = Router()
  router.use(scripts())
  router.use(
    [SECOND_FACTOR_PATH, SECURITY_PATH],
    sameOriginOnly(origin),
    express.urlencoded({ extended: false, limit: FORM_BYTES_MAX }),
  )
  router.use(secondFactorStep(services, pages))
  router.use(securityPage(services, pages))
  router.use(['/oauth/authorize', '/account'], withScript(scriptPath('sign-in'), origin))
  return router
}
