/**
 * Apps with a server (a confidential client) or a program (a public loopback one) behind them send
 * people to the PDS, in a real browser.
 */
import type { OAuthSession } from '@atproto/oauth-client-node'
import type { Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { hasBrowser } from '../support/browser.ts'
import { askThrough, procedure } from '../support/oauth.ts'
import { createUser, post } from '../support/pds.ts'
import {
  leadThrough,
  type Neighbourhood,
  newPerson,
  type Person,
  signIn,
  signUp,
  startNeighbourhood,
} from './support.ts'

let here: Neighbourhood
let person: Person
let count = 0

const press = (page: Page, name: string) => page.getByRole('button', { name }).click()
const create = (session: OAuthSession, collection: string, record: object) =>
  askThrough(
    session,
    '/xrpc/com.atproto.repo.createRecord',
    procedure({ repo: session.did, collection, record }),
  )
const write = (session: OAuthSession) => create(session, 'app.bsky.feed.post', post('from an app'))

describe.skipIf(!hasBrowser).each(['loopback', 'confidential'] as const)('a %s app', (kind) => {
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
    const name = `newcomer${++count}`
    const app = here.nodeApps[kind]()
    const session = await leadThrough(page, app, here.pds, async () => {
      await signUp(page, name)
      await press(page, 'Authorize')
    })
    const { did } = session
    expect(here.pds.services.accounts.find(`${name}.test`)?.did).toBe(did)

    expect(await write(session)).toMatchObject({ status: 200 })
    const like = { $type: 'com.example.like', createdAt: new Date().toISOString() }
    expect(await create(session, 'com.example.like', like)).toMatchObject({
      status: 403,
      body: { error: 'ScopeMissingError' },
    })

    const { tokenSet } = app.sessions.get(did)!
    await session.getTokenInfo(true)
    expect(app.sessions.get(did)!.tokenSet.refresh_token).not.toBe(tokenSet.refresh_token)
    expect(await write(session)).toMatchObject({ status: 200 })

    await session.signOut()
    await expect(write(session)).rejects.toThrow(/session|token/i)
    await expect(app.client.restore(did)).rejects.toThrow()
  })

  it("is authorized by an account's owner, and revoked on the account page", async () => {
    const { page } = person
    const { did, handle } = await createUser(here.pds, `visitor${++count}`)
    const session = await leadThrough(page, here.nodeApps[kind](), here.pds, async () => {
      await signIn(page, handle, { isRemembered: true })
      await press(page, 'Authorize')
    })
    expect(session.did).toBe(did)
    expect(await write(session)).toMatchObject({ status: 200 })

    await page.goto(`${here.pds.url}/account/u/${handle}/apps`)
    await press(page, 'Details')
    await press(page, 'Revoke')
    await expect.poll(() => write(session).catch(String)).toMatchObject({ status: 401 })
    await expect(session.getTokenInfo(true)).rejects.toThrow()
  })

  it('gets access_denied when it is refused', async () => {
    const { page } = person
    const { handle } = await createUser(here.pds, `visitor${++count}`)
    const led = leadThrough(page, here.nodeApps[kind](), here.pds, async () => {
      await signIn(page, handle)
      await press(page, 'Deny access')
    })
    await expect(led).rejects.toThrow(/rejected/)
  })
})
