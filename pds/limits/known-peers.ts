/**
 * The addresses of hosts that the operator named: looked up in the background, kept, and looked up
 * again.
 */

import { lookup } from 'node:dns/promises'
import { BackgroundTask } from '#platform/background-task.ts'
import type { Logger } from '#platform/log.ts'
import { networkOf } from '#platform/network-of.ts'
import { MINUTE_MS } from '#platform/time.ts'

const REFRESH_MS = 30 * MINUTE_MS
/** Of one host. */
const ADDRESSES_MAX = 64

export type LookUp = (host: string) => Promise<readonly string[]>

const lookUpInDns: LookUp = async (host) => (await lookup(host, { all: true })).map(({ address }) => address)

export class KnownPeers implements Disposable {
  readonly #hosts: readonly string[]
  readonly #log: Pick<Logger, 'warn' | 'error'>
  readonly #lookUp: LookUp
  readonly #networks = new Map<string, ReadonlySet<string>>()
  readonly #task: BackgroundTask

  /** @param urls of the hosts */
  constructor(urls: readonly string[], log: Pick<Logger, 'warn' | 'error'>, lookUp = lookUpInDns) {
    this.#hosts = [...new Set(urls.map((url) => new URL(url).hostname))]
    this.#log = log
    this.#lookUp = lookUp
    this.#task = new BackgroundTask(
      async () => {
        await this.refresh()
        return REFRESH_MS
      },
      {
        log,
        failure: {
          message: 'the addresses of hosts in the settings cannot be looked up',
          todo: 'look at the error',
        },
        retryMs: REFRESH_MS,
      },
    )
    if (this.#hosts.length > 0) void this.#task.run()
  }

  /** Whether the network is one of theirs, as far as is known now. */
  has(network: string): boolean {
    for (const networks of this.#networks.values()) if (networks.has(network)) return true
    return false
  }

  /** Looks all of them up; a host that cannot be keeps the addresses it had. */
  async refresh(): Promise<void> {
    await Promise.all(
      this.#hosts.map(async (host) => {
        const addresses = await this.#lookUp(host).catch((error: unknown) => {
          this.#log.warn(
            {
              err: error,
              host,
              todo: 'check the name and this machine’s DNS; until it is found, the host is limited like any other',
            },
            'the addresses of a host in the settings cannot be looked up',
          )
          return undefined
        })
        if (addresses !== undefined) {
          this.#networks.set(host, new Set(addresses.slice(0, ADDRESSES_MAX).map(networkOf)))
        }
      }),
    )
  }

  [Symbol.dispose](): void {
    this.#task.end()
  }
}
