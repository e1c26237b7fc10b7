/**
 * The zstd dictionary of a Jetstream server: fetched from that server, which compresses with it for
 * clients that have it. A server without one sends plain text. The format is RFC 8878's, section 5.
 */
import { zstdDecompressSync } from 'node:zlib'
import type { Fetch } from '#platform/fetch.ts'
import { logger } from '#platform/log.ts'
import { EventFault } from './counts.ts'

const PATH = '/xrpc/network.bsky.jetstream.getZstdDictionary'
const MAGIC = 0xec30a437
const HEADER_BYTES = 8
/** What a compressed message may grow to. */
const messageBytesMax = 8_000_000

export class Dictionary {
  readonly #url: string
  readonly #fetch: Fetch
  #bytes: Buffer | undefined

  /** @param fetch bounds the size of what it fetches */
  constructor(endpoint: string, fetch: Fetch) {
    const url = new URL(PATH, endpoint)
    url.protocol = url.protocol.replace('ws', 'http')
    this.#url = url.href
    this.#fetch = fetch
  }

  /**
   * The number by which the server knows its dictionary; undefined when it has none that can be had
   * now.
   */
  async id(signal: AbortSignal): Promise<number | undefined> {
    if (!this.#bytes) {
      try {
        const response = await this.#fetch(this.#url, { signal })
        if (!response.ok) {
          await response.body?.cancel()
          throw new Error(`answered with the status ${response.status}`)
        }
        const bytes = Buffer.from(await response.arrayBuffer())
        if (bytes.length <= HEADER_BYTES || bytes.readUInt32LE(0) !== MAGIC)
          throw new Error('answered with something that is no dictionary')
        this.#bytes = bytes
      } catch (error) {
        logger('firehose').info(
          { err: error, url: this.#url },
          'no dictionary; messages will come as plain text',
        )
      }
    }
    return this.#bytes?.readUInt32LE(4)
  }

  /** Has it fetched again: the server has another one. */
  forget(): void {
    this.#bytes = undefined
  }

  /**
   * The text of a compressed message.
   * @throws EventFault
   */
  decompress(message: Buffer): string {
    try {
      return zstdDecompressSync(message, {
        dictionary: this.#bytes,
        maxOutputLength: messageBytesMax,
      }).toString()
    } catch (error) {
      const fault =
        (error as { code?: string }).code === 'ERR_BUFFER_TOO_LARGE' ? 'oversized' : 'malformed-frame'
      throw new EventFault(fault, (error as Error).message, { cause: error })
    }
  }
}
