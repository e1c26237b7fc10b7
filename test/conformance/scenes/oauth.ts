/**
 * The routes of OAuth, each by every verb, as somebody comes upon them who knows nothing. What apps
 * and people do there has tests of its own.
 */
import type { Case } from '../cases.ts'
import { page } from './scene.ts'

const API = '/@atproto/oauth-provider/~api'

const paths = [
  '/.well-known/oauth-protected-resource',
  '/.well-known/oauth-authorization-server',
  '/.well-known/change-password',
  '/oauth/jwks',
  '/oauth/par',
  '/oauth/token',
  '/oauth/revoke',
  '/oauth/authorize',
  '/oauth/authorize/redirect',
  '/account',
  '/account/reset-password',
  '/@atproto/oauth-provider/~assets/nothing.js',
  ...[
    'verify-handle-availability',
    'sign-up',
    'sign-in',
    'sign-out',
    'reset-password-request',
    'reset-password-confirm',
    'update-email-request',
    'update-email-confirm',
    'verify-email-request',
    'verify-email-confirm',
    'update-handle',
    'deactivate-account',
    'reactivate-account',
    'delete-account-request',
    'delete-account-confirm',
    'device-sessions',
    'oauth-sessions',
    'account-sessions',
    'revoke-account-session',
    'revoke-oauth-session',
    'consent',
    'reject',
  ].map((name) => `${API}/${name}`),
]

export const oauthPages: readonly Case[] = paths.flatMap((path) =>
  ['GET', 'POST', 'OPTIONS', 'DELETE'].map((verb) => page(verb, path)),
)
