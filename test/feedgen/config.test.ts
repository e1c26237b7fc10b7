import { describe, expect, test } from 'vitest'
import { ConfigError } from '#platform/env.ts'
import { readConfig } from '../../feedgen/config.ts'
import { isJetstream } from '../../feedgen/firehose/jetstream.ts'

describe('the configuration', () => {
  test('follows the PDS beside it unless told otherwise', () => {
    expect(readConfig({})).toMatchObject({
      port: 3000,
      listenHost: '127.0.0.1',
      origin: 'http://localhost:3000',
      serviceDid: 'did:web:localhost%3A3000',
      publisherDid: undefined,
      endpoints: ['ws://localhost:2583/xrpc/com.atproto.sync.subscribeRepos'],
      plcUrl: 'http://localhost:2582',
      sqliteLocation: 'data/feedgen/feedgen.sqlite',
      devMode: true,
    })
  })

  test('of the official kit starts it', () => {
    const kit = {
      FEEDGEN_PORT: '3000',
      FEEDGEN_LISTENHOST: '0.0.0.0',
      FEEDGEN_SQLITE_LOCATION: ':memory:',
      FEEDGEN_SUBSCRIPTION_ENDPOINT: 'wss://bsky.network',
      FEEDGEN_HOSTNAME: 'feeds.example.com',
      FEEDGEN_PUBLISHER_DID: 'did:plc:abcdefghijklmnopqrstuvwx',
      FEEDGEN_SUBSCRIPTION_RECONNECT_DELAY: '3000',
    }
    expect(readConfig(kit)).toMatchObject({
      listenHost: '0.0.0.0',
      origin: 'https://feeds.example.com',
      serviceDid: 'did:web:feeds.example.com',
      publisherDid: 'did:plc:abcdefghijklmnopqrstuvwx',
      endpoints: ['wss://bsky.network/xrpc/com.atproto.sync.subscribeRepos'],
      reconnectDelayMs: 3000,
      sqliteLocation: ':memory:',
      plcUrl: 'https://plc.directory',
      devMode: false,
    })
  })

  test('names endpoints in any usual way', () => {
    const list = 'bsky.network, localhost:2583,https://a.test/, ws://b.test:1/relay,wss://bsky.network'
    expect(readConfig({ FEEDGEN_SUBSCRIPTION_ENDPOINT: list }).endpoints).toEqual([
      'wss://bsky.network/xrpc/com.atproto.sync.subscribeRepos',
      'ws://localhost:2583/xrpc/com.atproto.sync.subscribeRepos',
      'wss://a.test/xrpc/com.atproto.sync.subscribeRepos',
      'ws://b.test:1/relay',
    ])
  })

  test('tells kinds of streams apart, by their path or by the name of the host', () => {
    const list =
      'jetstream2.us-west.bsky.network,wss://jet.test/subscribe,wss://jet.test/xrpc/network.bsky.jetstream.subscribeEvents,bsky.network'
    const { endpoints } = readConfig({ FEEDGEN_SUBSCRIPTION_ENDPOINT: list })
    expect(endpoints).toEqual([
      'wss://jetstream2.us-west.bsky.network/subscribe',
      'wss://jet.test/subscribe',
      'wss://jet.test/xrpc/network.bsky.jetstream.subscribeEvents',
      'wss://bsky.network/xrpc/com.atproto.sync.subscribeRepos',
    ])
    expect(endpoints.map(isJetstream)).toEqual([true, true, true, false])
  })

  test('says who is trusted, and which labelers are followed', () => {
    const config = readConfig({
      FEEDGEN_SUBSCRIPTION_ENDPOINT: 'bsky.network, localhost:2583',
      FEEDGEN_TRUSTED_ENDPOINTS: 'wss://bsky.network',
      FEEDGEN_LABELERS: 'did:plc:ar7c4by46qjdydhdevvrndac, did:web:labels.test,did:web:labels.test',
      FEEDGEN_BACKFILL: 'false',
    })
    expect(config).toMatchObject({
      trustedEndpoints: ['wss://bsky.network/xrpc/com.atproto.sync.subscribeRepos'],
      labelers: ['did:plc:ar7c4by46qjdydhdevvrndac', 'did:web:labels.test'],
      backfill: false,
    })
    expect(readConfig({})).toMatchObject({ trustedEndpoints: [], labelers: [], backfill: true })
  })

  test('says which AppView is asked about authors, if any', () => {
    const found = (env: Record<string, string>) => readConfig(env).appview
    expect(found({})).toEqual({ url: 'https://public.api.bsky.app', refreshHours: 24 })
    const own = { FEEDGEN_APPVIEW_URL: 'http://localhost:9/', FEEDGEN_APPVIEW_REFRESH_HOURS: '720' }
    expect(found(own)).toEqual({ url: 'http://localhost:9', refreshHours: 720 })
    expect(found({ FEEDGEN_APPVIEW_URL: '' })).toBe(undefined)
    expect(() => readConfig({ FEEDGEN_APPVIEW_REFRESH_HOURS: '721' })).toThrow(ConfigError)
  })

  test('reports every fault at once', () => {
    const bad = {
      FEEDGEN_TRUSTED_ENDPOINTS: 'elsewhere.test',
      FEEDGEN_LABELERS: 'labels.test',
      FEEDGEN_BACKFILL: 'maybe',
      FEEDGEN_PORT: 'x',
      FEEDGEN_HOSTNAME: 'https://feeds.test',
      FEEDGEN_SERVICE_DID: 'feeds.test',
      FEEDGEN_PUBLISHER_DID: 'alice.test',
      FEEDGEN_SUBSCRIPTION_ENDPOINT: 'ftp://a.test',
      FEEDGEN_SUBSCRIPTION_START: 'yesterday',
      FEEDGEN_SUBSCRIPTION_RECONNECT_DELAY: 'soon',
      FEEDGEN_DEV_MODE: 'yes',
      FEEDGEN_APPVIEW_URL: 'api.test',
      FEEDGEN_APPVIEW_REFRESH_HOURS: '0',
      PDS_DID_PLC_URL: 'plc.directory',
      LOG_LEVEL: 'loud',
    }
    const faults = () => {
      try {
        readConfig(bad)
      } catch (error) {
        if (error instanceof ConfigError) return error.faults.map(({ name }) => name)
        throw error
      }
    }
    expect(faults()?.sort()).toEqual(Object.keys(bad).sort())
  })
})
