/**
 * An app on this machine (a public loopback client) lets people sign up and in, in a real browser.
 */
import type { Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { hasBrowser } from '../support/browser.ts'
import { createUser, PASSWORD, post } from '../support/pds.ts'
import {
  didAtApp,
  isTooWide,
  type Neighbourhood,
  newPerson,
  openSignIn,
  type Person,
  PHONE,
  signIn,
  signUp,
  startNeighbourhood,
} from './support.ts'

let here: Neighbourhood
let person: Person
let count = 0

const newUser = () => createUser(here.pds, `visitor${++count}`)
const button = (page: Page, name: string | RegExp) => page.getByRole('button', { name })

const call = (page: Page, method: 'GET' | 'POST', path: string, body?: object) =>
  page.evaluate(({ method, path, body }) => window.app.call(method, path, body), { method, path, body })
const create = (page: Page, did: string | undefined, collection: string, record: object) =>
  call(page, 'POST', '/xrpc/com.atproto.repo.createRecord', { repo: did, collection, record })

describe.skipIf(!hasBrowser)('an app in the browser', () => {
  beforeAll(async () => {
    here = await startNeighbourhood()
  })
  afterAll(async () => {
    await here?.[Symbol.asyncDispose]()
  })
  beforeEach(async () => {
    person = await newPerson(here.browser)
  })
  afterEach(async () => {
    expect(person.complaints).toEqual([])
    await person[Symbol.asyncDispose]()
  })

  it('brings somebody new, who may do there what was agreed upon, until the end', async () => {
    const { page } = person
    await openSignIn(page, here.appUrl)
    await signUp(page, 'newcomer')
    await page.getByText('Access specific parts of your Bluesky account').waitFor()
    await button(page, 'Expand details').click()
    const details = page.getByRole('dialog')
    await details.getByText('the permissions necessary to perform the following actions').waitFor()
    await details.getByRole('row', { name: 'app.bsky.feed.post' }).waitFor()
    await page.keyboard.press('Escape')
    await button(page, 'Authorize').click()
    const did = await didAtApp(page, here.appUrl)
    expect(here.pds.services.accounts.find('newcomer.test')?.did).toBe(did)

    expect(await create(page, did, 'app.bsky.feed.post', post('from an app'))).toMatchObject({ status: 200 })
    const like = { $type: 'com.example.like', createdAt: new Date().toISOString() }
    expect(await create(page, did, 'com.example.like', like)).toMatchObject({
      status: 403,
      body: { error: 'ScopeMissingError' },
    })

    const { before, after } = await page.evaluate(() => window.app.refresh())
    expect(after).toBeGreaterThan(before)
    expect(await create(page, did, 'app.bsky.feed.post', post('refreshed'))).toMatchObject({ status: 200 })

    await page.reload()
    expect(await didAtApp(page, here.appUrl)).toBe(did)
    await page.evaluate(() => window.app.signOut())
    expect(
      await page.evaluate(() => window.app.call('GET', '/xrpc/com.atproto.server.getSession').catch(String)),
    ).toMatch(/session|token|revoked/i)
    await page.reload()
    await page.getByText('signed out').waitFor()
  })

  it("is authorized by an account's owner with the keyboard, and may be refused", async () => {
    const { page } = person
    const user = await newUser()
    await openSignIn(page, here.appUrl)
    await button(page, 'Sign in').press('Enter')
    await page.locator('input[name=username]').waitFor()
    await page.keyboard.type(user.handle)
    await page.keyboard.press('Enter')
    await page.locator('input[name=password]').focus()
    await page.keyboard.type(PASSWORD)
    await page.keyboard.press('Enter')
    await button(page, 'Deny access').press('Enter')
    await page.waitForURL((url) => url.href.startsWith(here.appUrl))
    await page.getByText('The user rejected the request').or(page.getByText('denied')).waitFor()

    await page.goto('about:blank')
    await openSignIn(page, here.appUrl)
    await signIn(page, user.handle)
    await button(page, 'Authorize').press('Enter')
    expect(await didAtApp(page, here.appUrl)).toBe(user.did)
  })

  it('is sent away on the account page, and can do no more then', async () => {
    const { page, context } = person
    const user = await newUser()
    await openSignIn(page, here.appUrl)
    await signIn(page, user.handle, { isRemembered: true })
    await button(page, 'Authorize').click()
    const did = await didAtApp(page, here.appUrl)
    const account = await context.newPage()
    await account.goto(`${here.pds.url}/account/u/${user.handle}/apps`)
    await button(account, 'Details').click()
    await button(account, 'Revoke').click()
    await expect
      .poll(() => create(page, did, 'app.bsky.feed.post', post('after the end')).catch(String))
      .toMatch(/session|token/i)
  })

  it('fits on a phone, from the first page to the last', async () => {
    const { page } = person
    await page.setViewportSize(PHONE)
    await openSignIn(page, here.appUrl)
    await button(page, 'Create a new account').waitFor()
    expect(await isTooWide(page)).toBe(false)
    await signUp(page, 'caller')
    expect(await isTooWide(page)).toBe(false)
    await button(page, 'Authorize').click()
    await didAtApp(page, here.appUrl)
    await page.goto(`${here.pds.url}/account`)
    await signIn(page, 'caller.test', { isRemembered: true })
    await page.waitForURL(/\/account\/u\//)
    for (const place of ['', '/manage', '/devices', '/apps']) {
      await page.goto(`${here.pds.url}/account/u/caller.test${place}`)
      await page.getByRole('heading', { level: 2 }).first().waitFor()
      expect(await isTooWide(page), place).toBe(false)
    }
  })
})
