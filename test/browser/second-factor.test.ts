/** Accounts with a second factor sign in, and set it up, in a real browser. */
import path from 'node:path'
import Sqlite3 from 'better-sqlite3'
import { Secret } from 'otpauth'
import type { CDPSession, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { operatorOf } from '../pds/accounts/support.ts'
import { hasBrowser } from '../support/browser.ts'
import { createUser, PASSWORD, startPds } from '../support/pds.ts'
import { type MailServer, startMailServer } from '../support/smtp.ts'
import {
  codeOf,
  didAtApp,
  giveAuthenticator,
  isTooWide,
  type Neighbourhood,
  newPerson,
  openSignIn,
  type Person,
  PHONE,
  signIn,
  startNeighbourhood,
} from './support.ts'

let mails: MailServer
let here: Neighbourhood
let person: Person
let count = 0

const newUser = () => createUser(here.pds, `mover${++count}`)
const authorize = (page: Page) => page.getByRole('button', { name: 'Authorize' }).click()
const confirm = async (page: Page, code: string) => {
  await page.waitForURL(/\/account\/second-factor$/)
  await page.getByLabel(/code/i).fill(code)
  await page.getByRole('button', { name: 'Confirm' }).click()
}

/** A security key in the browser, which says yes. */
async function withSecurityKey(page: Page): Promise<CDPSession> {
  const session = await page.context().newCDPSession(page)
  await session.send('WebAuthn.enable')
  await session.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      protocol: 'ctap2',
      transport: 'internal',
      hasUserVerification: true,
      isUserVerified: true,
      automaticPresenceSimulation: true,
    },
  })
  return session
}

/**
 * Every request that waits now is as of a confidential client that says `prompt=login`; of public
 * ones the library makes it `consent`.
 */
function askForFreshSignIn(): void {
  const db = new Sqlite3(path.join(here.pds.folder, 'atoll.sqlite'))
  db.exec(
    `UPDATE oauth_request SET parameters = json_set(parameters, '$.prompt', 'login') WHERE account IS NULL`,
  )
  db.close()
}

/** Signed in on the account page, the security page is opened with the password. */
async function openSecurity(page: Page, password = PASSWORD): Promise<void> {
  await page.goto(`${here.pds.url}/account/security`)
  await page.getByLabel('Password').fill(password)
  await page.getByRole('button', { name: 'Continue' }).click()
}

async function signInAtAccountPage(page: Page, handle: string): Promise<void> {
  await page.goto(`${here.pds.url}/account`)
  await signIn(page, handle, { isRemembered: true })
  await page.waitForURL(/\/account\/u\//)
}

describe.skipIf(!hasBrowser)('a second factor in the browser', () => {
  beforeAll(async () => {
    mails = await startMailServer()
    here = await startNeighbourhood({
      PDS_EMAIL_SMTP_URL: mails.url,
      PDS_EMAIL_FROM_ADDRESS: 'pds@mail.example',
    })
  })
  afterAll(async () => {
    await here?.[Symbol.asyncDispose]()
    await mails?.[Symbol.asyncDispose]()
  })
  beforeEach(async () => {
    person = await newPerson(here.browser)
  })
  afterEach(async () => {
    expect(person.complaints).toEqual([])
    await person[Symbol.asyncDispose]()
  })

  it('of an authenticator app leads from the sign-in through a page of its own to the app', async () => {
    const { page } = person
    const user = await newUser()
    const { secret } = await giveAuthenticator(here.pds, user)
    await openSignIn(page, here.appUrl)
    await signIn(page, user.handle)
    await page.getByText(`@${user.handle}`).waitFor()
    await confirm(page, codeOf(secret, 5))
    await page.getByRole('alert').getByText('not accepted').waitFor()
    await confirm(page, codeOf(secret))
    await page.waitForURL(/\/oauth\/authorize/)
    await authorize(page)
    expect(await didAtApp(page, here.appUrl)).toBe(user.did)
  })

  it('is asked for again, and not for ever, when the app wants a fresh sign-in', async () => {
    const { page } = person
    const user = await newUser()
    const { backupCodes } = await giveAuthenticator(here.pds, user)
    await openSignIn(page, here.appUrl)
    askForFreshSignIn()
    await page.reload()
    await signIn(page, user.handle)
    await confirm(page, backupCodes[0]!)
    await authorize(page)
    expect(await didAtApp(page, here.appUrl)).toBe(user.did)
  })

  it('is a backup code for who has nothing else, once', async () => {
    const { page } = person
    const user = await newUser()
    const { backupCodes } = await giveAuthenticator(here.pds, user)
    await page.goto(`${here.pds.url}/account`)
    await signIn(page, user.handle)
    await confirm(page, backupCodes[0]!)
    await page.waitForURL(/\/account\/u\//)
    await using other = await newPerson(here.browser)
    await other.page.goto(`${here.pds.url}/account`)
    await signIn(other.page, user.handle)
    await confirm(other.page, backupCodes[0]!)
    await other.page.getByRole('alert').getByText('not accepted').waitFor()
  })

  it('is a mailed code for who has nothing but an address', async () => {
    const { page } = person
    const user = await newUser()
    const { accounts, emails } = here.pds.services
    const address = accounts.find(user.did)!.email!
    await emails.sendCode('confirm_email', accounts.find(user.did)!)
    await emails.confirm(accounts.find(user.did)!, address, mails.code(address))
    await emails.update(accounts.find(user.did)!, { email: address, authFactor: true })
    await page.goto(`${here.pds.url}/account/security`)
    await page.getByRole('link', { name: 'Sign in' }).click()
    await page.getByLabel('Username').fill(user.handle)
    await page.getByLabel('Password').fill(PASSWORD)
    await page.getByRole('button', { name: 'Next' }).click()
    await confirm(page, 'AAAAA-AAAAA')
    await page.getByRole('alert').getByText('not accepted').waitFor()
    await confirm(page, mails.code(address))
    await page.waitForURL(/\/account\/security$/)
    await page.getByText(`@${user.handle}`).waitFor()
  })

  it('stands in the way of the library’s own sign-in', async () => {
    const { page } = person
    const user = await newUser()
    await giveAuthenticator(here.pds, user)
    await page.goto(`${here.pds.url}/account`)
    await page.getByRole('button', { name: 'Sign in' }).waitFor()
    const call = (password: string) =>
      page.evaluate(
        async ({ username, password }) => {
          const token = /csrf-token=([0-9a-f]+)/.exec(document.cookie)?.[1] ?? ''
          // A frame's own fetch is one that no script of the page has to do with.
          const frame = document.body.appendChild(document.createElement('iframe'))
          const { fetch } = frame.contentWindow as unknown as typeof globalThis
          const response = await fetch(`${location.origin}/@atproto/oauth-provider/~api/sign-in`, {
            method: 'POST',
            mode: 'same-origin',
            referrer: location.href,
            headers: { 'content-type': 'application/json', 'x-csrf-token': token },
            body: JSON.stringify({ locale: 'en', username, password }),
          })
          return { status: response.status, body: (await response.json()) as Record<string, string> }
        },
        { username: user.handle, password },
      )
    expect(await call(PASSWORD)).toMatchObject({ status: 401, body: { error: 'second_step_required' } })
    // Who does not know the password learns nothing of it.
    expect((await call('wrong password')).body.error).toBe('invalid_request')
  })

  it('is set up and removed on a page of its own: an authenticator app', async () => {
    const { page } = person
    const user = await newUser()
    await signInAtAccountPage(page, user.handle)
    await openSecurity(page, 'wrong password')
    await page.getByRole('alert').getByText('not the password').waitFor()
    await openSecurity(page)
    await page.getByRole('button', { name: 'Set up an app' }).click()
    await page.getByRole('img', { name: 'QR code' }).waitFor()
    const typed = (await page.locator('code').innerText()).replaceAll(' ', '')
    const secret = Buffer.from(Secret.fromBase32(typed).bytes)
    await page.getByRole('textbox', { name: 'Code' }).fill(codeOf(secret, 5))
    await page.getByRole('button', { name: 'Set up' }).click()
    await page.getByRole('alert').waitFor()
    await page.getByRole('textbox', { name: 'Code' }).fill(codeOf(secret))
    await page.getByRole('button', { name: 'Set up' }).click()
    await page.getByText('The authenticator app is set up.').waitFor()
    const codes = await page.locator('.codes li').allInnerTexts()
    expect(codes).toHaveLength(10)
    const login = (authFactorToken?: string) =>
      user.agent.com.atproto.server.createSession({
        identifier: user.handle,
        password: PASSWORD,
        authFactorToken,
      })
    await expect(login()).rejects.toMatchObject({ error: 'AuthFactorTokenRequired' })
    await login(codes[0])
    await page.getByRole('button', { name: 'Make new ones' }).click()
    await page.getByText('worthless').waitFor()
    await expect(login(codes[1])).rejects.toMatchObject({ error: 'InvalidToken' })
    await page.getByRole('button', { name: 'Remove' }).click()
    await page.getByText('is removed').waitFor()
    await login()
  })

  it('is set up, used and removed: a passkey', async () => {
    const { page } = person
    const user = await newUser()
    await withSecurityKey(page)
    await signInAtAccountPage(page, user.handle)
    await openSecurity(page)
    await page.getByLabel('Name').fill('My <b>key</b>')
    await page.getByRole('button', { name: 'Add a passkey' }).click()
    await page.getByText('The passkey is set up.').waitFor()
    await page.getByText('My <b>key</b>').waitFor()
    await page.getByText('not used yet').waitFor()

    // Signed out, the same browser signs in with it.
    await page.context().clearCookies()
    await openSignIn(page, here.appUrl)
    await signIn(page, user.handle)
    await page.getByRole('button', { name: 'Use your passkey' }).click()
    await authorize(page)
    expect(await didAtApp(page, here.appUrl)).toBe(user.did)

    await openSecurity(page)
    await page.getByText('last used on').waitFor()
    await page.getByRole('button', { name: 'Remove My <b>key</b>' }).click()
    await page.getByText('The passkey is removed.').waitFor()
    expect(here.pds.services.secondFactors.areSetUp(here.pds.services.accounts.find(user.did)!.id)).toBe(
      false,
    )
  })

  it('is not what another’s passkey answers', async () => {
    const { page } = person
    const [owner, thief] = [await newUser(), await newUser()]
    await withSecurityKey(page)
    for (const { handle } of [owner, thief]) {
      await page.context().clearCookies()
      await signInAtAccountPage(page, handle)
      await openSecurity(page)
      await page.getByLabel('Name').fill(handle)
      await page.getByRole('button', { name: 'Add a passkey' }).click()
      await page.getByText('The passkey is set up.').waitFor()
    }
    await page.context().clearCookies()
    await page.goto(`${here.pds.url}/account`)
    await signIn(page, thief.handle)
    const mine = page.locator('form[data-passkey-get]')
    const options = JSON.parse((await mine.getAttribute('data-passkey-get'))!)
    // The thief asks his browser for an answer of the owner's key to his own challenge.
    const { id } = here.pds.services.accounts.find(owner.did)!
    const [key] = here.pds.services.secondFactors.passkeys(id)
    options.allowCredentials = [{ id: key!.id, type: 'public-key' }]
    await mine.evaluate((form, text) => form.setAttribute('data-passkey-get', text), JSON.stringify(options))
    await page.getByRole('button', { name: 'Use your passkey' }).click()
    await page.getByRole('alert').getByText('not accepted').waitFor()
  })

  it('can be given and set up without a mouse, and on a phone', async () => {
    const { page } = person
    await page.setViewportSize(PHONE)
    const user = await newUser()
    const { secret } = await giveAuthenticator(here.pds, user)
    await page.goto(`${here.pds.url}/account/second-factor`)
    expect(await isTooWide(page)).toBe(false)
    await page.keyboard.type(user.handle)
    await page.keyboard.press('Tab')
    await page.keyboard.type(PASSWORD)
    await page.keyboard.press('Enter')
    await page.getByText('Confirm that it is you').waitFor()
    expect(await isTooWide(page)).toBe(false)
    await page.keyboard.type(codeOf(secret))
    await page.keyboard.press('Enter')
    await page.waitForURL(/\/account\/u\//)
    await page.goto(`${here.pds.url}/account/security`)
    expect(await isTooWide(page)).toBe(false)
    await page.keyboard.type(PASSWORD)
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: 'Passkeys' }).waitFor()
    expect(await isTooWide(page)).toBe(false)
    const another = page.getByRole('button', { name: 'Set up another' })
    const isFocused = () => another.evaluate((button) => button === document.activeElement)
    for (let n = 0; n < 20 && !(await isFocused()); n++) await page.keyboard.press('Tab')
    await page.keyboard.press('Enter')
    await page.getByRole('img', { name: 'QR code' }).waitFor()
    expect(await isTooWide(page)).toBe(false)
  })

  it('is behind as many passwords as the library’s page lets somebody try', async () => {
    await using limited = await startPds({ plcUrl: here.plc.url, env: { PDS_RATE_LIMITS_ENABLED: 'true' } })
    const body = new URLSearchParams({ username: 'somebody.test', password: 'wrong password' })
    const headers = { origin: limited.url }
    const tryOne = () => fetch(`${limited.url}/account/second-factor`, { method: 'POST', body, headers })
    for (let n = 0; n < 30; n++) expect(await (await tryOne()).text()).toContain('Invalid identifier')
    expect(await (await tryOne()).text()).toContain('Too many attempts')
  })

  it('does not sign in an account that was taken down meanwhile', async () => {
    const { page } = person
    const user = await newUser()
    const { secret } = await giveAuthenticator(here.pds, user)
    await page.goto(`${here.pds.url}/account`)
    await signIn(page, user.handle)
    await page.waitForURL(/\/account\/second-factor$/)
    await operatorOf(here.pds).admin.updateSubjectStatus({
      subject: { $type: 'com.atproto.admin.defs#repoRef', did: user.did },
      takedown: { applied: true, ref: 'test' },
    })
    await confirm(page, codeOf(secret))
    await page.getByText('Please enter your password again').waitFor()
  })

  it('is no other site’s business', async () => {
    const body = new URLSearchParams({ username: 'somebody', password: PASSWORD })
    for (const path of ['/account/second-factor', '/account/security']) {
      const url = here.pds.url + path
      for (const headers of [
        {},
        { origin: 'https://elsewhere.example' },
        { origin: here.pds.url, 'sec-fetch-site': 'cross-site' },
      ] as Record<string, string>[]) {
        expect((await fetch(url, { method: 'POST', body, headers })).status).toBe(403)
      }
      const { headers } = await fetch(url)
      expect(headers.get('content-security-policy')).toContain("frame-ancestors 'none'")
      expect(headers.get('x-frame-options')).toBe('DENY')
      expect(headers.get('access-control-allow-origin')).toBe(null)
      expect(headers.get('cache-control')).toBe('no-store')
    }
    const origin = { origin: here.pds.url }
    const away = await fetch(`${here.pds.url}/account/second-factor`, {
      method: 'POST',
      headers: origin,
      body: new URLSearchParams({ return: 'https://elsewhere.example/account' }),
    })
    expect(await away.text()).not.toContain('elsewhere')
  })
})
