/** A feed generator, as the one that serves a feed or answers questions about it. */
import { AtpAgent } from '@atproto/api'
import { getFeedGenEndpoint } from '@atproto/common-web'
import { isValidDid } from '@atproto/syntax'
import { documents } from '#platform/lexicon-documents.ts'
import { methodNsid } from '../../../feedgen/algorithm/definition.ts'
import { readConfig } from '../../../feedgen/config.ts'
import { ask } from '../../ask.ts'
import { CommandError, UsageError } from '../../command.ts'
import { feedgenEnvironment } from '../../environment.ts'
import type { Network } from '../network.ts'

export class Host {
  /** What the records of feeds say that it serves. */
  readonly did: string
  readonly url: string
  readonly #client: AtpAgent

  constructor(did: string, url: string) {
    this.did = did
    this.url = url
    this.#client = new AtpAgent({ service: url })
    const { lex } = this.#client
    for (const document of documents) if (!lex.get(document.id)) lex.add(document)
  }

  /**
   * Asks a method of the host.
   * @param what completes "Could not ..."
   * @param viewer signed in as who the answer is for; without, it is for nobody in particular
   */
  async ask<T>(
    what: string,
    name: string,
    { params, data, viewer }: { params?: Record<string, string | number>; data?: object; viewer?: AtpAgent },
  ): Promise<T> {
    const nsid = methodNsid(name)
    const headers = viewer && { authorization: `Bearer ${await this.#token(viewer, nsid)}` }
    const encoding = data && 'application/json'
    const answer = this.#client.call(nsid, params, data, { headers, encoding })
    return (await ask(what, this.url, answer)).data as T
  }

  async #token(viewer: AtpAgent, lxm: string): Promise<string> {
    const answer = viewer.com.atproto.server.getServiceAuth({ aud: this.did, lxm })
    return (await ask('get a service token', viewer.serviceUrl, answer)).data.token
  }
}

/** Finds a host by its DID, URL or host name. It has to answer, and to be who it is said to be. */
export async function findHost(name: string, network: Network): Promise<Host> {
  if (!isValidDid(name)) {
    const url = urlOf(name)
    return new Host(await describe(url), url)
  }
  const url = getFeedGenEndpoint(await network.resolveDid(name))?.replace(/\/$/, '')
  if (!url) throw new CommandError(`The DID document of ${name} names no feed generator.`)
  const did = await describe(url)
  if (did !== name) throw new CommandError(`${name} names ${url}, which says that it is ${did}.`)
  return new Host(did, url)
}

/** The host with the DID; the one that the environment names is not looked up. */
export async function hostWith(did: string, network: Network): Promise<Host> {
  const preset = presetHost()
  return preset.did === did ? preset : findHost(did, network)
}

/**
 * The host that FEEDGEN_SERVICE_DID or FEEDGEN_HOSTNAME names, or else this machine's. It may be
 * down.
 */
export function presetHost(): Host {
  const { serviceDid, origin } = readConfig(feedgenEnvironment(process.env))
  return new Host(serviceDid, origin)
}

async function describe(url: string): Promise<string> {
  const answer = new AtpAgent({ service: url }).app.bsky.feed.describeFeedGenerator()
  return (await ask('reach the feed generator', url, answer)).data.did
}

function urlOf(name: string): string {
  const url = URL.parse(/^https?:\/\//.test(name) ? name : `https://${name}`)
  if (url?.pathname !== '/') {
    throw new UsageError(`This names no feed generator: ${name}. Write its DID, URL or host name.`)
  }
  return url.origin
}
