/** Kinds of values that variables have here, beside those of `Env`. */
import { isValidDid, isValidHandle } from '@atproto/syntax'
import { type Env, required, ValueError } from '#platform/env.ts'
import { DAY_MS } from '#platform/time.ts'

const DAYS_MAX = 3_650
/** Nobody searches through 16 random bytes. */
const SECRET_BYTES_MIN = 16

/** A number of days, in milliseconds. */
export function days(env: Env, name: string, fallback: number): number {
  return env.int(name, fallback, { min: 1, max: DAYS_MAX }) * DAY_MS
}

/** A secret text: on a public host one that cannot be guessed. The fault does not show it. */
export function secret(env: Env, name: string, isPublic: boolean): string {
  const parse = (text: string): string => {
    if (!isPublic || Buffer.byteLength(text) >= SECRET_BYTES_MIN) return text
    throw new ValueError(`must have at least ${SECRET_BYTES_MIN} bytes; \`openssl rand --hex 16\` makes one`)
  }
  return env.parse(name, parse, required, '')
}

export function did(env: Env, name: string): string | undefined {
  const parse = (text: string): string => {
    if (isValidDid(text)) return text
    throw new ValueError('must be a DID, such as did:plc:... or did:web:...')
  }
  return env.parse(name, parse, undefined, '')
}

export function didKey(env: Env, name: string): string | undefined {
  const parse = (text: string): string => {
    if (/^did:key:z[1-9A-HJ-NP-Za-km-z]+$/.test(text)) return text
    throw new ValueError('must be a did:key')
  }
  return env.parse(name, parse, undefined, '')
}

/** An address as it was written. */
export function address(
  env: Env,
  name: string,
  schemes: readonly string[] = ['http:', 'https:'],
): string | undefined {
  const parse = (text: string): string => {
    if (schemes.includes(URL.parse(text)?.protocol ?? '')) return text
    throw new ValueError(`must be a URL that starts with ${schemes.join(' or ')}`)
  }
  return env.parse(name, parse, undefined, '')
}

/** A CSS color in the forms that the OAuth pages take. */
export function color(env: Env, name: string): string | undefined {
  const parse = (text: string): string => {
    const numbers = /^rgba?\(\s*(\d+(?:\s*,\s*\d+){2,3})\s*\)$/.exec(text)?.[1]?.split(',')
    const isHex = /^#(?:[0-9a-f]{3,4}|[0-9a-f]{6}|[0-9a-f]{8})$/i.test(text)
    const isRgb =
      numbers?.length === (text.startsWith('rgba') ? 4 : 3) && numbers.every((n) => Number(n) <= 255)
    if (isHex || isRgb) return text
    throw new ValueError('must be a color such as #1e90ff or rgb(30, 144, 255)')
  }
  return env.parse(name, parse, undefined, '')
}

/** An address that mail is from or goes to: alone, or after a name in angle brackets. */
export function mailAddress(text: string): string {
  if (/^[^\s@<>]+@[^\s@<>]+$/.test(text) || /^[^<>]*<[^\s@<>]+@[^\s@<>]+>$/.test(text)) return text
  throw new ValueError('must be a mail address, such as pds@example.com or "My PDS <pds@example.com>"')
}

export function handleDomains(env: Env, fallback: string[]): string[] {
  const parse = (text: string): string[] => {
    const domains = text.split(',').map((domain) => domain.trim().toLowerCase())
    for (const domain of domains) {
      if (!domain.startsWith('.')) throw new ValueError(`each domain starts with a dot, "${domain}" does not`)
      if (!isValidHandle(`x${domain}`))
        throw new ValueError(`"${domain}" is no domain that handles can be under`)
    }
    return domains
  }
  return env.parse('PDS_SERVICE_HANDLE_DOMAINS', parse, fallback, [])
}
