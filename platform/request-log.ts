/**
 * One line per request: method, status, duration and caller. Queries are left out, since they hold
 * codes and tokens.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { networkIfKnown } from './callers.ts'
import type { Logger } from './log.ts'

const ACCOUNT = Symbol('account')
type Marked = IncomingMessage & { [ACCOUNT]?: string }

/** Notes whose credentials a request came with. */
export function markAccount(request: IncomingMessage, did: string | undefined): void {
  if (did !== undefined) (request as Marked)[ACCOUNT] = did
}

/** Has a line written when a request is answered, or when its connection ends before that. */
export function logRequest(log: Logger, request: IncomingMessage, response: ServerResponse): void {
  if (!log.isLevelEnabled('info')) return
  const since = performance.now()
  const about = targetOf(request)
  response.once('close', () => {
    const line = { ...about, ...callerFields(request), ms: msSince(since) }
    const { statusCode: status } = response
    if (response.writableFinished) log.info({ ...line, status }, 'request')
    // What it would have been is not what anybody got.
    else log.info({ ...line, ...(response.headersSent && { status }), isCutOff: true }, 'request')
  })
}

/** Has a line written when a connection ends that another protocol took over. */
export function logUpgrade(log: Logger, request: IncomingMessage): void {
  if (!log.isLevelEnabled('info')) return
  const since = performance.now()
  const about = targetOf(request)
  request.socket.once('close', () =>
    log.info({ ...about, ...callerFields(request), ms: msSince(since) }, 'upgraded request'),
  )
}

const PATH_CHARACTERS_MAX = 300

/** Taken before an application rewrites the URL. */
const targetOf = ({ method, url = '' }: IncomingMessage) => ({
  method,
  path: url.split('?', 1)[0]?.slice(0, PATH_CHARACTERS_MAX),
})

const callerFields = (request: IncomingMessage) => ({
  network: networkIfKnown(request),
  account: (request as Marked)[ACCOUNT],
})

const msSince = (since: number): number => Math.round((performance.now() - since) * 10) / 10
