/**
 * An app as small as one can be: signs in by OAuth, and lends what it is then given to the test
 * that drives the browser.
 */
import {
  BrowserOAuthClient,
  buildAtprotoLoopbackClientMetadata,
  type OAuthSession,
} from '@atproto/oauth-client-browser'

interface Settings {
  readonly pdsUrl: string
  readonly plcUrl: string
  readonly scope: string
}

const settings = (await (await fetch('/settings.json')).json()) as Settings
const { pdsUrl, plcUrl, scope } = settings
const client = new BrowserOAuthClient({
  clientMetadata: buildAtprotoLoopbackClientMetadata({
    scope,
    redirect_uris: [`${location.origin}/` as `http://127.0.0.1:${string}`],
  }),
  handleResolver: pdsUrl,
  plcDirectoryUrl: plcUrl,
  allowHttp: true,
})

let session: OAuthSession | undefined
let failure: string | undefined
try {
  session = (await client.init())?.session
} catch (error) {
  failure = String(error)
}

/** What a test calls with `page.evaluate`. */
const app = {
  signIn: () => void client.signInRedirect(pdsUrl),
  did: () => session?.did,
  async call(method: 'GET' | 'POST', path: string, body?: object) {
    const headers = body && { 'content-type': 'application/json' }
    const init = { method, headers, body: body && JSON.stringify(body) }
    const response = await session!.fetchHandler(path, init)
    return { status: response.status, body: (await response.json().catch(() => undefined)) as unknown }
  },
  async refresh() {
    const before = await session!.getTokenInfo(false)
    const after = await session!.getTokenInfo(true)
    return { before: before.expiresAt?.getTime() ?? 0, after: after.expiresAt?.getTime() ?? 0 }
  },
  signOut: () => session!.signOut(),
}

declare global {
  interface Window {
    app: typeof app
  }
}

window.app = app
document.querySelector('output')!.textContent = failure ?? session?.did ?? 'signed out'
