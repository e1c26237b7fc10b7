/** Adds a script of ours to a page of the OAuth library's, which has no place for one. */
import type { RequestHandler } from 'express'

const PLACE = '</head>'

/** @param path the script's address, which the page's content policy must allow: this server's own are */
export function withScript(path: string): RequestHandler {
  return (_, response, next) => {
    const end = response.end.bind(response) as (...args: unknown[]) => typeof response
    response.end = ((chunk: unknown, ...rest: unknown[]) => {
      // The library states no length; what does is not one of its pages, but a refusal by express.
      const isPage =
        typeof chunk === 'string' &&
        /^text\/html\b/.test(String(response.getHeader('content-type'))) &&
        !response.hasHeader('content-length')
      if (!isPage) return end(chunk, ...rest)
      return end(chunk.replace(PLACE, `<script type="module" src="${path}"></script>${PLACE}`), ...rest)
    }) as typeof response.end
    next()
  }
}
