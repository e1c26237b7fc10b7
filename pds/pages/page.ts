/**
 * What every page of ours has in common: the operator's name, logo and colours, and the headers
 * that keep strangers out of it.
 */
import { createHash } from 'node:crypto'
import type { Request, RequestHandler, Response } from 'express'
import type { Brand } from './brand.ts'
import { type Html, html, trusted } from './html.ts'
import { SCRIPTS_PATH } from './paths.ts'
import { stylesheet } from './style.ts'

export interface PageContent {
  readonly title: string
  readonly subtitle?: string
  readonly body: Html
  /** The address of a script of ours. */
  readonly script?: string
  readonly isWide?: boolean
  readonly status?: number
}

/** Sends pages under a brand. */
export class Pages {
  readonly #brand: Brand
  readonly #style: string
  readonly #contentPolicy: string

  /** @param origin this host's, as browsers know it */
  constructor(brand: Brand, origin: string) {
    this.#brand = brand
    this.#style = stylesheet(brand)
    const hash = createHash('sha256').update(this.#style).digest('base64')
    const images = [brand.logo, brand.background.light, brand.background.dark].filter(
      (url) => url !== undefined,
    )
    // There is no `form-action`: browsers hold it against where a form's answer redirects to, and
    // after signing in that is an app's address.
    this.#contentPolicy = [
      "default-src 'none'",
      `style-src 'sha256-${hash}'`,
      // By their path, not `'self'`: this host serves strangers' blobs too.
      `script-src ${origin}${SCRIPTS_PATH}/`,
      `img-src 'self' ${images.map((url) => (url.startsWith('data:') ? 'data:' : new URL(url).origin)).join(' ')}`,
      "base-uri 'none'",
      "frame-ancestors 'none'",
    ].join('; ')
  }

  send(
    response: Response,
    { title, subtitle, body, script, isWide = false, status = 200 }: PageContent,
  ): void {
    const { name, logo } = this.#brand
    const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>${title} · ${name}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<style>${trusted(this.#style)}</style>
${script !== undefined && html`<script type="module" src="${script}"></script>`}
</head>
<body>
<main${isWide && html` class="wide"`}>
<header>
${logo === undefined ? html`<span class="name">${name}</span>` : html`<img src="${logo}" alt="${name}">`}
<h1>${title}</h1>
${subtitle !== undefined && html`<p>${subtitle}</p>`}
</header>
${body}
</main>
</body>
</html>
`
    response
      .status(status)
      .set({
        'Content-Security-Policy': this.#contentPolicy,
        'Cross-Origin-Opener-Policy': 'same-origin',
        'Cross-Origin-Resource-Policy': 'same-origin',
        'Referrer-Policy': 'same-origin',
        'X-Content-Type-Options': 'nosniff',
        'X-Frame-Options': 'DENY',
        'Cache-Control': 'no-store',
      })
      .type('html')
      .send(page.text)
  }
}

/**
 * Lets pass what a person's browser sends from a page of this service, and what it opens by itself;
 * nothing that another site makes it send. The cookies are `SameSite=Lax`; this is said twice on
 * purpose.
 */
export function sameOriginOnly(origin: string): RequestHandler {
  return (request, response, next) => {
    const site = request.headers['sec-fetch-site']
    const isRead = request.method === 'GET' || request.method === 'HEAD'
    const isOurs =
      isRead || (request.headers.origin === origin && (site === undefined || site === 'same-origin'))
    if (isOurs) next()
    else response.status(403).type('text/plain').send('This form was sent from another site')
  }
}

/** The text of a field of a form. */
export function field(request: Request, name: string): string {
  const value = (request.body as Record<string, unknown> | undefined)?.[name]
  return typeof value === 'string' ? value : ''
}

/** A field of a form that holds JSON; undefined when it holds none. */
export function jsonField(request: Request, name: string): unknown {
  try {
    return JSON.parse(field(request, name))
  } catch {
    return undefined
  }
}

/** A line about what went wrong, read out by screen readers. */
export const problem = (message: string | undefined): Html =>
  message === undefined ? html`` : html`<p class="notice bad" role="alert">${message}</p>`
