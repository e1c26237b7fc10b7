/** The feed generator, put together: the only file here that constructs services. */

import type { RequestListener } from 'node:http'
import cors from 'cors'
import express from 'express'
import { trustOf } from '#platform/callers.ts'
import { errorHandler, logFailuresOf, refuseDeepJson } from '#platform/express.ts'
import { type Fetch, guardedFetch } from '#platform/fetch.ts'
import { Gate, type GateOptions, sandbox } from '#platform/gate.ts'
import { ListeningHttp } from '#platform/http.ts'
import { Limiter } from '#platform/limiter.ts'
import { logger } from '#platform/log.ts'
import { unmapped } from '#platform/network-of.ts'
import { HOUR_MS, MINUTE_MS } from '#platform/time.ts'
import { neighbours } from '#platform/trusted-proxies.ts'
import packageJson from '../package.json' with { type: 'json' }
import type { FindRecord } from './algorithm/references.ts'
import { Accounts, type Wanting } from './backfill/account-facts.ts'
import { Backfill } from './backfill/backfill.ts'
import { Pasts } from './backfill/backfill-status.ts'
import { needsOf } from './backfill/needs.ts'
import { Servers } from './backfill/pds-client.ts'
import { RecordFinder } from './backfill/record-finder.ts'
import type { FeedgenConfig, RateLimitsConfig } from './config.ts'
import { DeadlineError } from './engine/deadline.ts'
import { EvaluatorThread } from './engine/evaluator.ts'
import type { Shown } from './engine/jobs.ts'
import { mayPublish } from './feeds/admission.ts'
import { Hiding } from './feeds/hiding.ts'
import { Inquiries } from './feeds/inquiries.ts'
import { Definitions, type LiveDefinition } from './feeds/live-definitions.ts'
import { Fill } from './feeds/match-backfill.ts'
import { PostUris } from './feeds/post-uris.ts'
import { Lists } from './feeds/ranked-lists.ts'
import { Registry } from './feeds/registry.ts'
import { Visibility } from './feeds/visibility.ts'
import { Counts } from './firehose/counts.ts'
import { Following } from './firehose/subscriptions.ts'
import { AuthorKeys, UnknownAuthorError } from './identity/identity-cache.ts'
import { type Index, openIndex } from './index/database.ts'
import { keepPruning } from './index/retention.ts'
import type { DefinitionWriter } from './index/stored-definitions.ts'
import { keepSweeping } from './index/sweeping.ts'
import { createPages } from './pages/index.ts'
import type { Services } from './services.ts'
import { Askers } from './xrpc/askers.ts'
import { createXrpc } from './xrpc/index.ts'
import { TokenVerifier } from './xrpc/viewers.ts'

/** A running feed generator. Disposing of it stops it cleanly. */
export interface Feedgen extends AsyncDisposable {
  /** Where it answers on this machine. */
  url: string
  /** What went by on the firehose since it was started. */
  counts: Counts
}

/**
 * Lists are served while newer ones are made behind them; all together take some 200 MB at most.
 */
const listOptions = { freshMs: 1000, staleMsMax: MINUTE_MS, itemsMax: 1_000_000, waitMsMax: 1500 }
/** Lists of feeds that may wait to be made, and what readers ask. */
const listJobsMax = 500
const askedJobsMax = 20

/** Opens the index, begins to follow the endpoints and answers requests. */
export async function createFeedgen(config: FeedgenConfig): Promise<Feedgen> {
  await using stack = new AsyncDisposableStack()
  const index = stack.use(
    await openIndex(config.databaseUrl ?? config.sqliteLocation, { postHours: config.retentionHours }),
  )
  const fetch = guardedFetch({ allowPrivate: config.devMode, trusted: namedByOperator(config) })
  const keys = new AuthorKeys({ plcUrl: config.plcUrl, fetch })
  let backfill: Backfill | undefined
  const definitions = stack.use(createDefinitions(config, index, keys))
  await definitions.refresh()
  const accounts = stack.use(createAccounts(config, index, fetch))
  index.writer.matchWith((features) => {
    const matched = definitions.matcher.match(features)
    if (matched.some((id) => definitions.get(id)?.plan?.asksAccounts))
      accounts?.want([features.author], 'served')
    return matched
  })
  index.writer.whenDefinitionsChange(() => definitions.wake())
  const msMax = config.evaluationMsMax
  const wanting = (by: Wanting) =>
    accounts && {
      ageMsMax: accountAgeMsMax(config),
      want: (dids: readonly string[]) => accounts.want(dids, by),
    }
  const registry = new Registry({
    index: index.reader,
    publisherDid: config.publisherDid,
    definitions,
    deps: {
      facts: index.facts,
      evaluator: stack.use(
        await EvaluatorThread.start(index.location, {
          jobsMax: listJobsMax,
          msMax,
          accounts: wanting('served'),
        }),
      ),
      lists: new Lists<Shown>({ ...listOptions, isPassing: (error) => error instanceof DeadlineError }),
      visibility: new Visibility(index.facts),
      hiding: new Hiding(index.facts),
      uris: new PostUris(index.facts),
    },
  })
  const services: Services = {
    site: { origin: config.origin, serviceDid: config.serviceDid, version: packageJson.version },
    feeds: registry,
    pasts: config.backfill
      ? new Pasts({ pending: index.pending, missing: () => backfill?.wake() })
      : { ask: async () => true },
    interactions: index.interactions,
    inquiries: new Inquiries({
      definitions,
      registry,
      evaluator: stack.use(
        await EvaluatorThread.start(index.location, {
          jobsMax: askedJobsMax,
          msMax,
          accounts: wanting('tried'),
        }),
      ),
      knowsAccounts: accounts !== undefined,
      retentionHours: config.retentionHours,
      costMax: config.definitionCostMax,
      find: createFinder(config, keys),
    }),
    askers: new Askers(),
    viewers: new TokenVerifier({
      serviceDid: config.serviceDid,
      keys,
      isUnknownAuthor: (error) => error instanceof UnknownAuthorError,
    }),
  }
  const { port, listenHost: host } = config
  const http = stack.use(await ListeningHttp.start(createApp(config, services), { port, host }))

  const counts = new Counts()
  stack.use(
    index.whileWriting(() => {
      const writing = new AsyncDisposableStack()
      const fetching = config.backfill ? writing.use(createBackfill(config, index, keys, fetch)) : undefined
      backfill = fetching
      const following = writing.use(
        new Following({
          ...config,
          index: index.writer,
          keys,
          counts,
          fetch,
          written(outcomes) {
            for (const outcome of outcomes) counts.outcomes[outcome]++
            if (outcomes.includes('jumped')) fetching?.wake()
          },
        }),
      )
      const fill = writing.use(new Fill({ facts: index.facts, writer: index.writer }))
      writing.defer(
        definitions.onChange((served) => {
          fill.fill(served)
          keepServed(served, index.writer)
          fetchWhatIsNeeded(served, following, fetching)
        }),
      )
      writing.use(keepSweeping(index.writer))
      writing.use(
        keepPruning(index.retention, {
          hoursOf: (id) => definitions.get(id)?.plan?.windowHours,
          hoursUnfilled: () => hoursUnfilled(definitions.served()),
        }),
      )
      return writing
    }),
  )
  const { address, family, port: portFound } = http.address
  const running = stack.move()
  return {
    url: `http://${family === 'IPv6' ? `[${address}]` : address}:${portFound}`,
    counts,
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  }
}

function createApp({ rateLimits }: FeedgenConfig, services: Services): RequestListener {
  const trust = trustOf([...neighbours, ...(rateLimits?.bypassIps ?? [])])
  const gate = new Gate({ trust, ...(rateLimits && requestBudgets(rateLimits)) })
  const xrpc = createXrpc(services).router
  logFailuresOf(xrpc, logger('xrpc'))
  refuseDeepJson(xrpc)
  const app = express()
    .disable('x-powered-by')
    .set('trust proxy', trust)
    .use(createPages(services))
    .use(xrpc)
    .use(errorHandler(logger('pages')))
  const allowEveryOrigin = cors({ maxAge: CORS_SECONDS })
  return (request, response) => {
    if (!gate.admits(request, response)) return
    sandbox(response)
    allowEveryOrigin(request, response, () => app(request, response))
  }
}

/** For how long browsers remember that any page may ask. */
const CORS_SECONDS = 86_400

const FEED_PATH = '/xrpc/app.bsky.feed.getFeedSkeleton'
const BUDGET_MS = 5 * MINUTE_MS

/** What every request counts against, by the network that it comes from. */
function requestBudgets({
  requestsIn5Minutes,
  feedRequestsIn5Minutes,
  bypassIps,
}: RateLimitsConfig): Pick<GateOptions, 'budget' | 'isExempt'> {
  const all = new Limiter({ points: requestsIn5Minutes, durationMs: BUDGET_MS })
  const feeds = new Limiter({ points: feedRequestsIn5Minutes, durationMs: BUDGET_MS })
  const exempt = new Set(bypassIps.map(unmapped))
  return {
    budget: ({ url }) => (url?.startsWith(FEED_PATH) === true ? feeds : all),
    isExempt: (_, { address }) => exempt.has(address),
  }
}

function createDefinitions(
  { publisherDid, publishers, definitionCostMax }: FeedgenConfig,
  { reader }: Index,
  keys: AuthorKeys,
): Definitions {
  return new Definitions({
    reader,
    costMax: definitionCostMax,
    mayPublish: (did) =>
      mayPublish(did, {
        owner: publisherDid,
        publishers,
        server: (did) => keys.server(did),
        isUnknown: (error) => error instanceof UnknownAuthorError,
      }),
  })
}

/**
 * Notes what is in service, so that it stays so when an update is refused and this process ends.
 */
function keepServed(served: readonly LiveDefinition[], writer: DefinitionWriter): void {
  const unkept = served.flatMap((live) => (live.served && !live.isKept ? [{ live, ...live.served }] : []))
  if (unkept.length === 0) return
  // Set at once, so that the next change does not write the same.
  for (const { live } of unkept) live.isKept = true
  writer
    .setServed(unkept.map(({ live, version, record }) => ({ id: live.id, version, record })))
    .catch((error) => {
      for (const { live } of unkept) live.isKept = false
      logger('algorithms').error(
        { err: error, todo: 'see whether the index can be written; it is tried again at the next change' },
        'it cannot be noted which definitions are served',
      )
    })
}

/**
 * How far definitions look back whose past is not matched yet: no match keeps the posts that they
 * still need.
 */
const hoursUnfilled = (served: readonly LiveDefinition[]): number =>
  Math.max(0, ...served.map(({ plan, isFilled }) => (plan?.intake && !isFilled ? plan.windowHours : 0)))

/** Has labelers followed and the past fetched that definitions speak of. */
function fetchWhatIsNeeded(
  served: readonly LiveDefinition[],
  following: Following,
  backfill: Backfill | undefined,
): void {
  const wanted = served.flatMap(({ plan }) => plan?.definition ?? [])
  following.wantLabelers(new Set(wanted.flatMap((definition) => [...needsOf(definition).labelers])))
  backfill?.want(wanted)
}

/** The directory, the AppView, and the servers and relays that are followed, may be neighbours. */
const namedByOperator = ({ plcUrl, endpoints, appview }: FeedgenConfig): string[] => [
  plcUrl,
  ...endpoints,
  ...(appview ? [appview.url] : []),
]

const createServers = (config: FeedgenConfig, authors: AuthorKeys): Servers =>
  new Servers({ authors, allowPrivate: config.devMode, trusted: namedByOperator(config) })

const accountAgeMsMax = ({ appview }: FeedgenConfig): number => (appview?.refreshHours ?? 0) * HOUR_MS

/** Asks the AppView about authors, unless there is none. */
function createAccounts(config: FeedgenConfig, { pending }: Index, fetch: Fetch): Accounts | undefined {
  if (config.appview === undefined) return undefined
  return new Accounts({ url: config.appview.url, ageMsMax: accountAgeMsMax(config), fetch, pending })
}

/** Asks accounts' servers, unless those are not to be asked for anything. */
function createFinder(config: FeedgenConfig, keys: AuthorKeys): FindRecord {
  if (!config.backfill) return async () => 'unknown'
  return new RecordFinder({ servers: createServers(config, keys) }).find
}

function createBackfill(config: FeedgenConfig, index: Index, keys: AuthorKeys, fetch: Fetch): Backfill {
  const servers = createServers(config, keys)
  const { serviceDid } = config
  const appview = config.appview && { url: config.appview.url, fetch }
  return new Backfill({ servers, index: index.writer, pending: index.pending, serviceDid, appview })
}
