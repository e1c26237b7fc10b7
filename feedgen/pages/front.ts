import { createHash } from 'node:crypto'
import type { ServedFeed } from '../feeds/registry.ts'
import type { Site } from '../services.ts'

const STYLE = `
  body { font: 1rem/1.5 system-ui, sans-serif; max-width: 42rem; margin: 3rem auto; padding: 0 1rem; color-scheme: light dark }
  code { overflow-wrap: anywhere }
  dt { margin-top: 1rem; font-weight: 600 }
  dd { margin: 0 }
`

/** What the front page may do: have its style, and be in no frame. */
export const FRONT_PAGE_POLICY = [
  "default-src 'none'",
  `style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'`,
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

/** The front page: what runs here, and its feeds. */
export function frontPage({ serviceDid }: Site, feeds: ServedFeed[]): string {
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Atoll feed generator</title>
<style>${STYLE}</style>
<h1>Atoll feed generator</h1>
<p>This is a feed generator of the <a href="https://atproto.com">AT Protocol</a> network, <code>${html(serviceDid)}</code>.
It follows the network's posts and serves feeds of them, which can be read in any app of the network.</p>
<h2>Feeds</h2>
${feeds.length === 0 ? '<p>None is published yet.</p>' : `<dl>${feeds.map(feedEntry).join('')}\n</dl>`}
<p><a href="/xrpc/app.bsky.feed.describeFeedGenerator">The same for machines</a></p>
`
}

function feedEntry({ uri, displayName, description }: ServedFeed): string {
  const [, , author = '', , name = ''] = uri.split('/')
  const url = `https://bsky.app/profile/${author}/feed/${name}`
  return `
  <dt><a href="${html(url)}">${html(displayName)}</a></dt>
  <dd>${html(description)}</dd>
  <dd><code>${html(uri)}</code></dd>`
}

const ENTITIES: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

/** Text as it stands in a page or an attribute. */
function html(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character] ?? character)
}
