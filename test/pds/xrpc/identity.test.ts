/**
 * What is said of an identity whose handle does not resolve, and of one of which that cannot be
 * told.
 */
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { logger } from '#platform/log.ts'
import { HandleError } from '../../../pds/identity/handles.ts'
import { identityInfo } from '../../../pds/xrpc/identity.ts'

const did = 'did:plc:6fcm7ff3wkzrsnh3gjbncv2f'
const document = { id: did, alsoKnownAs: ['at://somebody.example.com'] }

const warn = vi.fn()
beforeEach(() => {
  vi.spyOn(logger('identity'), 'warn').mockImplementation(warn)
})
afterEach(() => {
  vi.restoreAllMocks()
  warn.mockReset()
})

/** The identity, where a handle is looked up so. */
const infoOf = (resolve: () => Promise<string | undefined>) =>
  identityInfo(
    {
      accounts: { find: () => undefined },
      handles: { normalize: (handle: string) => handle, isLocal: () => false, resolve },
      didDocuments: { resolve: async () => document },
    } as unknown as Parameters<typeof identityInfo>[0],
    did,
  )

test.each<[string, () => Promise<string | undefined>, string]>([
  ['to it', async () => did, 'somebody.example.com'],
  ['to another', async () => 'did:plc:another', 'handle.invalid'],
  ['to nothing', async () => undefined, 'handle.invalid'],
  [
    'to nothing, being malformed',
    async () => Promise.reject(new HandleError('no', 'syntax')),
    'handle.invalid',
  ],
])('a handle that resolves %s', async (_, resolve, handle) => {
  expect(await infoOf(resolve)).toEqual({ did, handle, didDoc: document })
  expect(warn).not.toHaveBeenCalled()
})

test('of a handle that cannot be looked up nothing is said, and the log has why', async () => {
  const failure = new Error('database disk image is malformed')
  await expect(infoOf(() => Promise.reject(failure))).rejects.toBe(failure)
  expect(warn).toHaveBeenCalledExactlyOnceWith(
    expect.objectContaining({ err: failure, handle: 'somebody.example.com', todo: expect.any(String) }),
    expect.any(String),
  )
})
