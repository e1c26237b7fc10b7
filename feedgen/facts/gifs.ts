/**
 * Which cards apps show as moving pictures. The hosts are other companies' and change; this table is the only place that names them.
 *
 * Source: `src/lib/strings/embed-player.ts` and `src/lib/gif-alt-text.ts` of github.com/bluesky-social/social-app, as of November 2026.
 * `static.klipy.com` is there since spring 2026.
 */
const HOSTS =
  /^(?:(?:media\d*|c)\.)?tenor\.com$|^(?:(?:media\d*|i)\.)?giphy\.com$|^gph\.is$|^(?:static\d*\.)?klipy\.com$/
/** What the app writes before the alt text of a GIF into a card's description: the person's own, and the provider's. */
const ALT_PREFIX = /^A(?:lt|LT): /

/** Whether the URL of a card, whose host is in its form, is one of a moving picture: by the table, or by what it says of itself. */
export function isGif(uri: string, host: string): boolean {
  if (HOSTS.test(host)) return true
  const [, path = '', query = ''] = /^[^?#]*\/\/[^/?#]+([^?#]*)(?:\?([^#]*))?/.exec(uri) ?? []
  if (/\.gifv?$/i.test(path)) return true
  // The app writes the height and width of a GIF into its URL, whoever hosts it.
  const params = new URLSearchParams(query)
  return ['hh', 'ww'].every((name) => /^\d+$/.test(params.get(name) ?? ''))
}

/** The alt text of a GIF, which stands in its card's description. */
export function gifAlt(description: string): string {
  return description.replace(ALT_PREFIX, '')
}
