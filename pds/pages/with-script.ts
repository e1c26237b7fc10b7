/** Adds a script of ours to a page of the OAuth library's, which has no place for one. */
import type { RequestHandler } from 'express'
import { SCRIPTS_PATH } from './paths.ts'

const PLACE = '</head>'

/** Where the library's own scripts are. */
const LIBRARY_SCRIPTS_PATH = '/@atproto/oauth-provider/'

/**
 * Adds the script, and replaces `'self'` in the page's content policy with the folders of scripts:
 * this host serves untrusted blobs too.
 * @param path the script's path
 * @param origin this host's, as browsers see it
 */
export function withScript(path: string, origin: string): RequestHandler {
  const folders = `${origin}${LIBRARY_SCRIPTS_PATH} ${origin}${SCRIPTS_PATH}/`
  return (_, response, next) => {
    const end = response.end.bind(response) as (...args: unknown[]) => typeof response
    response.end = ((chunk: unknown, ...rest: unknown[]) => {
      // The library states no length; what does is not one of its pages, but a refusal by express.
      const isPage =
        typeof chunk === 'string' &&
        /^text\/html\b/.test(String(response.getHeader('content-type'))) &&
        !response.hasHeader('content-length')
      if (!isPage) return end(chunk, ...rest)
      const policy = String(response.getHeader('content-security-policy') ?? '')
      response.setHeader(
        'content-security-policy',
        policy.replace(/\bscript-src [^;]*/, (scripts) => scripts.replace("'self'", folders)),
      )
      return end(chunk.replace(PLACE, `<script type="module" src="${path}"></script>${PLACE}`), ...rest)
    }) as typeof response.end
    next()
  }
}
