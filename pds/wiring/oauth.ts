/** Constructs the OAuth provider. */
import type { OAuthHooks } from '@atproto/oauth-provider/hooks'
import type { Fetch } from '#platform/fetch.ts'
import type { Config } from '../config.ts'
import { Descriptions } from '../oauth/descriptions.ts'
import { createLexiconResolver } from '../oauth/lexicon-resolver.ts'
import { pageLinks } from '../oauth/page-links.ts'
import { createProvider } from '../oauth/provider.ts'
import { SECURITY_PATH } from '../pages/paths.ts'
import { imageUrl } from '../proxy/local-view.ts'
import type { RepoReader } from '../repo/read.ts'

export function createOAuthProvider(
  { publicUrl, hostname, serviceDid, secrets, invites, identity, services, branding, links, oauth }: Config,
  { fetch, clientFetch, hooks }: { fetch: Fetch; clientFetch: Fetch; hooks: OAuthHooks },
  parts: Omit<Parameters<typeof createProvider>[0], 'descriptions'> & { reader: RepoReader },
) {
  const { store, reader } = parts
  const images = { pattern: services.appView?.cdnUrlPattern, hostname }
  const descriptions = new Descriptions(reader, {
    serviceDid,
    avatarUrl: (did, blob) => imageUrl(images, 'avatar', did, blob),
  })
  return createProvider(
    { ...parts, descriptions },
    {
      publicUrl,
      jwtSecret: secrets.jwt,
      dpopSecret: oauth.dpopSecret,
      inviteRequired: invites.required,
      handleDomains: identity.serviceHandleDomains,
      hcaptcha: oauth.hcaptcha,
      trustedClients: oauth.trustedClients,
      branding: { ...branding, links: pageLinks({ ...links, security: `${publicUrl}${SECURITY_PATH}` }) },
      fetch: clientFetch,
      hooks,
      lexicons: createLexiconResolver({
        accounts: store.accounts,
        reader,
        fetch,
        plcUrl: identity.plcUrl,
        authorityDid: oauth.lexiconAuthorityDid,
      }),
    },
  )
}
