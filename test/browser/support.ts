/** A PDS, an app that signs in by OAuth, and a browser with people in front of it. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import type { OAuthSession } from '@atproto/oauth-client-node'
import { build } from 'esbuild'
import { Secret, TOTP } from 'otpauth'
import type { Browser, BrowserContext, BrowserContextOptions, Page } from 'playwright-core'
import { startBrowser } from '../support/browser.ts'
import { confidentialApp, loopbackApp, type TestApp } from '../support/oauth.ts'
import { type InProcessPds, PASSWORD, startPds, type TestUser } from '../support/pds.ts'
import { type PlcDirectory, startPlc } from '../support/plc.ts'

/** The longest that a page may take to show what is waited for. */
const STEP_MS_MAX = 10_000

export const PHONE = { width: 390, height: 844 }
export const DESKTOP = { width: 1280, height: 800 }

/** What the app asks for: to be known, and to write posts. */
export const SCOPE = 'atproto repo:app.bsky.feed.post?action=create'

/** The services and the browser, which end together. */
export interface Neighbourhood extends AsyncDisposable {
  readonly plc: PlcDirectory
  readonly pds: InProcessPds
  /** The app's address. */
  readonly appUrl: string
  /** Apps that are no page: they send somebody to the PDS, and hear of him when he is back. */
  readonly nodeApps: Readonly<Record<'loopback' | 'confidential', () => TestApp>>
  readonly browser: Browser
}

export async function startNeighbourhood(env: Record<string, string> = {}): Promise<Neighbourhood> {
  const stack = new AsyncDisposableStack()
  const plc = stack.use(await startPlc())
  const confidential = await confidentialApp(plc.url, SCOPE)
  const pds = stack.use(await startPds({ plcUrl: plc.url, env, clientFetch: confidential.clientFetch }))
  const app = await serveApp({ pdsUrl: pds.url, plcUrl: plc.url, scope: SCOPE })
  stack.defer(app.close)
  const browser = await startBrowser()
  stack.defer(() => browser.close())
  const nodeApps = {
    loopback: () => loopbackApp(pds, plc.url, SCOPE),
    confidential: () => confidential.on(pds),
  }
  return { plc, pds, appUrl: app.url, nodeApps, browser, [Symbol.asyncDispose]: () => stack.disposeAsync() }
}

const PAGE = `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>A small app</title>
<link rel="icon" href="data:,"></head><body><output></output><script type="module" src="/main.js"></script></body></html>`

async function serveApp(settings: object) {
  const options = { bundle: true, format: 'esm', target: 'es2022', write: false } as const
  const entryPoints = [path.join(import.meta.dirname, 'app/main.ts')]
  const script = (await build({ ...options, entryPoints, logLevel: 'error' })).outputFiles[0]?.text
  const files = new Map([
    ['/', { type: 'text/html', body: PAGE }],
    ['/main.js', { type: 'text/javascript', body: script }],
    ['/settings.json', { type: 'application/json', body: JSON.stringify(settings) }],
  ])
  const server = createServer((request, response) => {
    const file = files.get(request.url?.split('?', 1)[0] ?? '')
    response.writeHead(file === undefined ? 404 : 200, { 'content-type': file?.type ?? 'text/plain' })
    response.end(file?.body)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}/`,
    close: () => {
      server.closeAllConnections()
      server.close()
    },
  }
}

/** Somebody in front of a browser of his own, and what his pages complained of. */
export interface Person extends AsyncDisposable {
  readonly context: BrowserContext
  readonly page: Page
  readonly complaints: string[]
}

export async function newPerson(browser: Browser, options: BrowserContextOptions = {}): Promise<Person> {
  const context = await browser.newContext({ viewport: DESKTOP, locale: 'en-US', ...options })
  context.setDefaultTimeout(STEP_MS_MAX)
  const page = await context.newPage()
  const complaints: string[] = []
  page.on('pageerror', (error) => complaints.push(String(error)))
  page.on('console', (message) => {
    if (/Content Security Policy/i.test(message.text())) complaints.push(message.text())
  })
  return { context, page, complaints, [Symbol.asyncDispose]: () => context.close() }
}

/** Opens the app and begins to sign in: the library's page stands afterwards. */
export async function openSignIn(page: Page, appUrl: string): Promise<void> {
  await page.goto(appUrl)
  await page.getByText('signed out').waitFor()
  await page.evaluate(() => window.app.signIn())
  await page.waitForURL(/\/oauth\/authorize/)
}

/** Goes through the sign-up with keys alone, up to the question whether the app is let in. */
export async function signUp(page: Page, name: string): Promise<void> {
  await page.getByRole('button', { name: 'Create a new account' }).press('Enter')
  await page.getByRole('textbox', { name: 'Type your username' }).waitFor()
  await page.keyboard.type(name)
  await page.keyboard.press('Enter')
  await page.getByRole('textbox', { name: 'Email' }).waitFor()
  await page.getByRole('textbox', { name: 'Email' }).fill(`${name}@mail.example`)
  await page.getByRole('textbox', { name: 'Password' }).fill(PASSWORD)
  await page.keyboard.press('Enter')
  await page.getByRole('button', { name: 'Authorize' }).waitFor()
}

/** Fills the library's sign-in form and sends it. */
export async function signIn(
  page: Page,
  username: string,
  { password = PASSWORD, isRemembered = false } = {},
): Promise<void> {
  const welcome = page.getByRole('button', { name: 'Sign in' })
  const field = page.locator('input[name=username]')
  await welcome.or(field).first().waitFor()
  if (!(await field.isVisible())) await welcome.click()
  await field.fill(username)
  await page.locator('input[name=password]').fill(password)
  if (isRemembered) await page.getByText('Remember this account').click()
  await page.getByRole('button', { name: 'Sign in' }).click()
}

/** Signed in at the app: its account. */
export async function didAtApp(page: Page, appUrl: string): Promise<string | undefined> {
  await page.waitForURL((url) => url.href.startsWith(appUrl))
  await page.getByText(/^did:/).waitFor()
  return page.evaluate(() => window.app.did())
}

/**
 * Is sent to the PDS by an app that is no page, does there what `answer` does, and comes back.
 * @returns the app's session; it throws what the library throws when the app was turned away
 */
export async function leadThrough(
  page: Page,
  { client }: TestApp,
  pds: { url: string },
  answer: () => Promise<void>,
): Promise<OAuthSession> {
  const callback = client.clientMetadata.redirect_uris[0]
  // Nobody listens there: the browser itself answers. Playwright's own routes do not see what a
  // redirect leads to.
  const devTools = await page.context().newCDPSession(page)
  devTools.on(
    'Fetch.requestPaused',
    ({ requestId }) => void devTools.send('Fetch.fulfillRequest', { requestId, responseCode: 200 }),
  )
  await devTools.send('Fetch.enable', { patterns: [{ urlPattern: `${callback}*` }] })
  await page.goto((await client.authorize(pds.url, { scope: SCOPE })).href)
  await answer()
  await page.waitForURL((url) => url.href.startsWith(callback))
  return (await client.callback(new URL(page.url()).searchParams)).session
}

/** The code that an authenticator app shows, so many steps from now. */
export const codeOf = (secret: Buffer, stepsOff = 0): string =>
  new TOTP({ secret: new Secret({ buffer: new Uint8Array(secret).buffer }) }).generate({
    timestamp: Date.now() + stepsOff * 30_000,
  })

/**
 * Gives a user an authenticator app. Its next code is that of the next step, which is taken
 * already.
 */
export async function giveAuthenticator({ services }: InProcessPds, { did }: TestUser) {
  const account = services.accounts.find(did)!
  const { secret } = services.secondFactors.newAuthenticator(account)
  const backupCodes = (await services.secondFactors.addAuthenticator(account, secret, codeOf(secret, -1)))!
  return { secret, backupCodes }
}

/** Whether a page is wider than its window. */
export const isTooWide = (page: Page): Promise<boolean> =>
  page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth)
