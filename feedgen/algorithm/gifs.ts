/**
 * Which cards apps show as moving pictures. The hosts are other companies' and change; this table
 * is the only place that names them.
 *
 * Source: `parseEmbedPlayerFromUrl`, `parseTenorGif` and `parseKlipyGif` in
 * `src/lib/strings/embed-player.ts`, and `src/lib/gif-alt-text.ts`, of
 * github.com/bluesky-social/social-app at commit 0c4e0c63af32baaad2a78bf1cc3813e19e70cb25, read in
 * November 2026. The app asks Tenor's and KLIPY's URLs for a height and width too, which those that
 * it wrote itself have; here their media hosts are enough. `c.tenor.com` and `gph.is` are older
 * addresses of the same pictures.
 */
const HOSTS: readonly { host: RegExp; path: RegExp }[] = [
  { host: /^(?:media\d*|c)\.tenor\.com$/, path: /^\/[^/]/ },
  { host: /^static\d*\.klipy\.com$/, path: /^\/ii\// },
  { host: /^media[0-4]?\.giphy\.com$/, path: /^\/media\/(?:[^/]+\/){1,2}[^/]+\.(?:webp|gif|mp4)$/i },
  { host: /^i\.giphy\.com$/, path: /^\/[^/]/ },
  { host: /^giphy\.com$/, path: /^\/gifs\/[^/]/ },
  { host: /^gph\.is$/, path: /^\/[^/]/ },
]
/**
 * What the app writes before the alt text of a GIF into a card's description: the person's own, and
 * the provider's.
 */
const ALT_PREFIX = /^A(?:lt|LT): /

/**
 * Whether the URL of a card, whose host is in its form, is one of a moving picture: by the table,
 * or by what it says of itself.
 */
export function isGif(uri: string, host: string): boolean {
  const [, path = '', query = ''] = /^[^?#]*\/\/[^/?#]+([^?#]*)(?:\?([^#]*))?/.exec(uri) ?? []
  if (HOSTS.some((known) => known.host.test(host) && known.path.test(path))) return true
  if (/\.gifv?$/i.test(path)) return true
  // The app writes the height and width of a GIF into its URL, whichever host it is on.
  const params = new URLSearchParams(query)
  return ['hh', 'ww'].every((name) => /^[1-9]\d*$/.test(params.get(name) ?? ''))
}

/** The alt text of a GIF, which stands in its card's description. */
export function gifAlt(description: string): string {
  return description.replace(ALT_PREFIX, '')
}
