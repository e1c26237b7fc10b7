/** What is derived from the endpoints, beside what `@atproto/pds` has as lists. */
import path from 'node:path'
import { expect, test } from 'vitest'
import { isPrivileged, protectedMethods } from '../../../pds/auth/methods.ts'
import { PROTECTED_METHODS } from '../../../pds/xrpc/index.ts'
import { root } from '../../support/processes.ts'

/** Not exported by the package. */
const reference: Record<'PROTECTED_METHODS' | 'PRIVILEGED_METHODS', Iterable<string>> = await import(
  path.join(root, 'node_modules/@atproto/pds/dist/pipethrough.js')
)

test('the protected methods are those of @atproto/pds', () => {
  expect(PROTECTED_METHODS.map((nsid) => nsid.toLowerCase()).sort()).toEqual(
    [...reference.PROTECTED_METHODS].map((nsid) => nsid.toLowerCase()).sort(),
  )
})

test('the privileged methods include those of @atproto/pds', () => {
  expect([...reference.PRIVILEGED_METHODS].length).toBeGreaterThan(10)
  expect([...reference.PRIVILEGED_METHODS].filter((nsid) => !isPrivileged(nsid))).toEqual([])
})

test('protected methods are recognized in any case', () => {
  const isProtected = protectedMethods(PROTECTED_METHODS)
  expect(isProtected('COM.atproto.server.UPDATEemail')).toBe(true)
  expect(isProtected('com.atproto.server.updateEmails')).toBe(false)
})
