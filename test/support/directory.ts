/**
 * A stand-in for a PLC directory: an HTTP server with the DID documents it is given, no questions
 * asked.
 */
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface Directory extends AsyncDisposable {
  readonly url: string
  /** The documents by DID, to be added to and changed. */
  readonly documents: Map<string, unknown>
  /** The DIDs that were asked for, in order. */
  readonly requests: string[]
  /** DIDs whose questions get no answer. */
  readonly withheld: Set<string>
  /** Answers the questions about a DID, those from before too. */
  answer(did: string): void
  /** DIDs about which the answer is not even JSON. */
  readonly broken: Set<string>
  /** The status of every answer, `_health` included, while it is out of order. */
  failing: number | undefined
}

/** Starts a directory on a free port. */
export async function startDirectory(documents: Iterable<[string, unknown]> = []): Promise<Directory> {
  const server = createServer((request, response) => {
    const did = decodeURIComponent((request.url ?? '/').slice(1))
    if (did !== '_health') directory.requests.push(did)
    if (directory.withheld.has(did)) waiting.push({ did, response })
    else answer(did, response)
  })
  const waiting: { did: string; response: ServerResponse }[] = []
  const answer = (did: string, response: ServerResponse) => {
    if (directory.broken.has(did)) {
      response.end('<html>')
      return
    }
    const document = did === '_health' ? { version: 'test' } : directory.documents.get(did)
    response.statusCode = directory.failing ?? (document === undefined ? 404 : 200)
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify(response.statusCode === 200 ? document : { message: 'no' }))
  }
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const directory: Directory = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    documents: new Map(documents),
    requests: [],
    withheld: new Set(),
    broken: new Set(),
    answer(did) {
      directory.withheld.delete(did)
      for (const asked of waiting) if (asked.did === did) answer(did, asked.response)
    },
    failing: undefined,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
  return directory
}
