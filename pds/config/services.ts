/** Other servers that the operator names: services of the network, relays, mail servers. */
import { type Env, required, ValueError } from '#platform/env.ts'
import { did, mailAddress } from './values.ts'

/** Another service, and the DID that it goes by. */
export interface ServiceConfig {
  readonly url: string
  readonly did: string
}

/** A mail server, and who the mails are from. */
export interface SmtpConfig {
  readonly url: string
  readonly from: string
}

/** A service named by two variables, `<prefix>_URL` and `<prefix>_DID`. */
export function service(env: Env, prefix: string): ServiceConfig | undefined {
  const url = env.url(`${prefix}_URL`)
  const name = did(env, `${prefix}_DID`)
  if (url === undefined) return undefined
  if (name === undefined) {
    env.fault(`${prefix}_DID`, `is not set, though ${prefix}_URL is`)
    return undefined
  }
  return { url, did: name }
}

/** The URLs of relays. */
export function crawlers(env: Env): string[] {
  const parse = (text: string): string[] =>
    text.split(',').flatMap((word) => {
      if (word.trim() === '') return []
      const url = URL.parse(word.trim())
      if (url?.protocol === 'https:' || url?.protocol === 'http:') return url.origin
      throw new ValueError('must be a list of URLs that start with https:// or http://')
    })
  return env.parse('PDS_CRAWLERS', parse, [], [])
}

/** One of the two alone is a mistake that would show only when the first mail is sent. */
export function smtp(env: Env, urlName: string, fromName: string): SmtpConfig | undefined {
  if (env.has(urlName) !== env.has(fromName)) {
    const [set, missing] = env.has(urlName) ? [urlName, fromName] : [fromName, urlName]
    env.fault(missing, `must be set when ${set} is`)
  }
  if (!env.has(urlName) || !env.has(fromName)) return undefined
  return {
    url: env.url(urlName, required, ['smtp:', 'smtps:']),
    from: env.parse(fromName, mailAddress, required, ''),
  }
}
