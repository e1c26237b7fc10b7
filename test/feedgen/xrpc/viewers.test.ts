/** Service tokens: how long they may live, and how long they are remembered. */
import { Secp256k1Keypair } from '@atproto/crypto'
import { createServiceJwt } from '@atproto/xrpc-server'
import { expect, onTestFinished, test, vi } from 'vitest'
import { parseDidKey } from '#protocol/keys.ts'
import { TokenVerifier } from '../../../feedgen/xrpc/viewers.ts'

const SERVICE = 'did:web:feeds.test'
const METHOD = 'app.bsky.feed.getFeedSkeleton'
const keypair = await Secp256k1Keypair.create()
const key = parseDidKey(keypair.did())

const verifier = () =>
  new TokenVerifier({
    serviceDid: SERVICE,
    keys: { get: async () => key, refresh: async () => key },
    isUnknownAuthor: () => false,
  })

/** A token that lives for so long. */
const token = async (seconds: number) => {
  const iat = Math.floor(Date.now() / 1000)
  const claims = { iss: 'did:plc:viewer', aud: SERVICE, lxm: METHOD, iat, exp: iat + seconds, keypair }
  return `Bearer ${await createServiceJwt(claims)}`
}

test('a token that lives longer than an hour is refused', async () => {
  const viewers = verifier()
  expect(await viewers.identify(await token(3600), METHOD)).toBe('did:plc:viewer')
  await expect(viewers.identify(await token(3700), METHOD)).rejects.toMatchObject({
    statusCode: 401,
    error: 'BadJwt',
  })
  expect(viewers.remembered).toBe(1)
})

test('a token is remembered until it expires, whatever was used before it', async () => {
  vi.useFakeTimers({ toFake: ['Date'] })
  onTestFinished(() => void vi.useRealTimers())
  const viewers = verifier()
  const long = await token(3600)
  await viewers.identify(long, METHOD)
  for (let n = 0; n < 10; n++) await viewers.identify(await token(60), METHOD)
  expect(viewers.remembered).toBe(11)
  await expect(viewers.identify(long, METHOD)).rejects.toMatchObject({ error: 'JwtReplayed' })
  vi.setSystemTime(Date.now() + 121_000)
  await viewers.identify(await token(60), METHOD)
  expect(viewers.remembered).toBe(2)
  await expect(viewers.identify(long, METHOD)).rejects.toMatchObject({ error: 'JwtReplayed' })
})
