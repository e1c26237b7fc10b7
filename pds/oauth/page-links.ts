/** The links at the foot of the OAuth pages. */
import type { PageLink } from './provider.ts'

interface Urls {
  readonly home: string | undefined
  readonly termsOfService: string | undefined
  readonly privacyPolicy: string | undefined
  readonly support: string | undefined
  /** The page where an owner sets up a second factor. */
  readonly security: string
}

/** One link for each URL that the operator set, in the order the pages show them. */
export function pageLinks({ home, termsOfService, privacyPolicy, support, security }: Urls): PageLink[] {
  const links: PageLink[] = []
  const link = (href: string | undefined, title: PageLink['title'], rel: PageLink['rel']) => {
    if (href !== undefined) links.push({ title, href, rel })
  }
  link(home, { en: 'Home', fr: 'Accueil' }, 'canonical')
  link(termsOfService, { en: 'Terms of Service' }, 'terms-of-service')
  link(privacyPolicy, { en: 'Privacy Policy' }, 'privacy-policy')
  link(support, { en: 'Support' }, 'help')
  link(security, { en: 'Two-step sign-in' }, undefined)
  return links
}
