/** The codes that are mailed: what each is good for, for whom, and for how long. */
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { EmailTokens } from '../../../../pds/accounts/credentials/email-tokens.ts'
import { Store } from '../../../../pds/store/store.ts'
import { type TemporaryFolder, temporaryFolder } from '../../../support/processes.ts'

let folder: TemporaryFolder
let store: Store
let tokens: EmailTokens

beforeEach(() => {
  folder = temporaryFolder()
  store = new Store({
    path: `${folder.path}/test.sqlite`,
    onFatal: (error) => {
      throw error
    },
  })
  tokens = new EmailTokens(store.emailTokens, randomBytes(32))
})
afterEach(() => {
  vi.useRealTimers()
  store[Symbol.dispose]()
  folder[Symbol.dispose]()
})

const [ADA, BEN] = [1, 2]
const create = (purpose: 'confirm_email' | 'reset_password', account: number) =>
  store.db.write((tx) => tokens.create(tx, purpose, account))
const invalid = expect.objectContaining({ code: 'InvalidToken', message: 'Token is invalid' })

test('a code is five and five characters of base32, and is taken in small letters too', async () => {
  const code = await create('confirm_email', ADA)
  expect(code).toMatch(/^[A-Z2-7]{5}-[A-Z2-7]{5}$/)
  tokens.assertValid('confirm_email', ADA, code)
  tokens.assertValid('confirm_email', ADA, code.toLowerCase())
  expect(await create('confirm_email', ADA)).not.toBe(code)
})

test('a code is taken as people type and paste it', async () => {
  const code = await create('reset_password', ADA)
  const [first, second] = code.split('-') as [string, string]
  for (const typed of [
    ` ${code}`,
    `${code}\r\n`,
    `${first}${second}`,
    `${first} ${second}`,
    `${first} - ${second}`,
    `${first}\u2013${second}`,
    `${first}\u2011${second}\u200b`,
    `\u00a0${first.toLowerCase()}\u2212${second}\t`,
  ]) {
    expect(() => tokens.assertValid('reset_password', ADA, typed), JSON.stringify(typed)).not.toThrow()
    expect(tokens.accountOf('reset_password', typed)).toBe(ADA)
  }
  for (const typed of [first, `${code}A`, `${first}.${second}`, `${second}-${first}`]) {
    expect(() => tokens.assertValid('reset_password', ADA, typed)).toThrow(invalid)
  }
})

test('a code is good for one account and one purpose', async () => {
  const code = await create('confirm_email', ADA)
  await create('reset_password', ADA)
  await create('confirm_email', BEN)
  expect(() => tokens.assertValid('confirm_email', BEN, code)).toThrow(invalid)
  expect(() => tokens.assertValid('reset_password', ADA, code)).toThrow(invalid)
  expect(() => tokens.assertValid('update_email', ADA, code)).toThrow(invalid)
  expect(() => tokens.assertValid('confirm_email', ADA, '')).toThrow(invalid)
  expect(tokens.accountOf('confirm_email', code.toLowerCase())).toBe(ADA)
  expect(() => tokens.accountOf('reset_password', code)).toThrow(invalid)
})

test('a new code takes the place of the old one', async () => {
  const [first, second] = [await create('confirm_email', ADA), await create('confirm_email', ADA)]
  expect(() => tokens.assertValid('confirm_email', ADA, first)).toThrow(invalid)
  tokens.assertValid('confirm_email', ADA, second)
})

test('a code is used up once, and not by a write that fails', async () => {
  const code = await create('confirm_email', ADA)
  const failing = store.db.write((tx) => {
    tokens.consume(tx, 'confirm_email', ADA, code)
    throw new Error('later on')
  })
  await expect(failing).rejects.toThrow('later on')
  const uses = [1, 2].map(() => store.db.write((tx) => tokens.consume(tx, 'confirm_email', ADA, code)))
  const [first, second] = await Promise.allSettled(uses)
  expect(first?.status).toBe('fulfilled')
  expect(second).toMatchObject({ status: 'rejected', reason: { code: 'InvalidToken' } })
})

test('a code holds for fifteen minutes', async () => {
  const code = await create('reset_password', ADA)
  const expired = expect.objectContaining({ code: 'ExpiredToken', message: 'Token is expired' })
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 14.9 * 60_000 })
  tokens.assertValid('reset_password', ADA, code)
  vi.setSystemTime(Date.now() + 0.2 * 60_000)
  expect(() => tokens.assertValid('reset_password', ADA, code)).toThrow(expired)
  expect(() => tokens.accountOf('reset_password', code)).toThrow(expired)
})

test('the database does not hold the code', async () => {
  const code = await create('confirm_email', ADA)
  const written = readFileSync(`${folder.path}/test.sqlite-wal`)
  expect(written.includes('confirm_email')).toBe(true)
  expect(written.includes(code)).toBe(false)
})

test('all codes of an account can be taken back', async () => {
  const [code, other] = [await create('confirm_email', ADA), await create('confirm_email', BEN)]
  await store.db.write((tx) => tokens.deleteAll(tx, ADA))
  expect(() => tokens.assertValid('confirm_email', ADA, code)).toThrow(invalid)
  tokens.assertValid('confirm_email', BEN, other)
})
