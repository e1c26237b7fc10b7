/** The feed generator, put together: the only file here that constructs services. */
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import express from 'express'
import { guardedFetch } from '#platform/fetch.ts'
import { neighbours } from '#platform/neighbours.ts'
import packageJson from '../package.json' with { type: 'json' }
import { Catalogue } from './algorithms/catalogue.ts'
import { DeadlineError } from './algorithms/deadline.ts'
import { Definitions, type LiveDefinition } from './algorithms/definitions.ts'
import { EvaluatorThread } from './algorithms/evaluator.ts'
import { Fill } from './algorithms/fill.ts'
import { Inquiries } from './algorithms/inquiries.ts'
import type { Shown } from './algorithms/jobs.ts'
import { mayPublish } from './algorithms/publishers.ts'
import { Visibility } from './algorithms/visibility.ts'
import { Backfill } from './backfill/backfill.ts'
import { needsOf } from './backfill/needs.ts'
import { Pasts } from './backfill/pasts.ts'
import { Servers } from './backfill/servers.ts'
import type { FeedgenConfig } from './config.ts'
import { Counts } from './firehose/counts.ts'
import { Following } from './firehose/following.ts'
import { AuthorKeys, UnknownAuthorError } from './firehose/keys.ts'
import { type Index, openIndex } from './index/database.ts'
import { keepPruning } from './index/retention.ts'
import { createPages } from './pages/index.ts'
import { Lists } from './ranking/lists.ts'
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

/** How long requests that are being answered may take once the service stops. */
const stopMsMax = 5000

/** Lists are served while newer ones are made behind them; all together take some 200 MB at most. */
const listOptions = { freshMs: 1000, staleMsMax: 60_000, itemsMax: 1_000_000 }
/** Lists of feeds that may wait to be made, and what readers ask. */
const listJobsMax = 500
const askedJobsMax = 20

/** Opens the index, begins to follow the endpoints and answers requests. */
export async function createFeedgen(config: FeedgenConfig): Promise<Feedgen> {
  await using stack = new AsyncDisposableStack()
  const index = stack.use(
    await openIndex(config.databaseUrl ?? config.sqliteLocation, { postHours: config.retentionHours }),
  )
  const fetch = guardedFetch({ allowPrivate: config.devMode })
  const keys = new AuthorKeys({ plcUrl: config.plcUrl, fetch })
  let backfill: Backfill | undefined
  const definitions = stack.use(createDefinitions(config, index, keys))
  await definitions.refresh()
  index.writer.matchWith((features) => definitions.matcher.match(features))
  index.writer.whenDefinitionsChange(() => definitions.wake())
  const msMax = config.evaluationMsMax
  const kitchen = {
    facts: index.facts,
    evaluator: stack.use(await EvaluatorThread.start(index.location, { jobsMax: listJobsMax, msMax })),
    lists: new Lists<Shown>({ ...listOptions, isPassing: (error) => error instanceof DeadlineError }),
    visibility: new Visibility(index.facts),
    definitions,
  }
  const services: Services = {
    site: { origin: config.origin, serviceDid: config.serviceDid, version: packageJson.version },
    feeds: new Catalogue({ index: index.reader, publisherDid: config.publisherDid, definitions, kitchen }),
    pasts: config.backfill
      ? new Pasts({ pending: index.pending, missing: () => backfill?.wake() })
      : { ask: async () => true },
    interactions: index.interactions,
    inquiries: new Inquiries({
      definitions,
      evaluator: stack.use(await EvaluatorThread.start(index.location, { jobsMax: askedJobsMax, msMax })),
      costMax: config.definitionCostMax,
    }),
    askers: new Askers(),
    viewers: new TokenVerifier({
      serviceDid: config.serviceDid,
      keys,
      isUnknownAuthor: (error) => error instanceof UnknownAuthorError,
    }),
  }
  const app = express()
    .disable('x-powered-by')
    .set('trust proxy', neighbours)
    .use(createPages(services))
    .use(createXrpc(services).router)
  const server = await listen(createServer(app), config)
  stack.defer(() => stop(server))

  const counts = new Counts()
  stack.use(
    index.whileWriting(() => {
      const writing = new AsyncDisposableStack()
      const fetching = config.backfill ? writing.use(createBackfill(config, index, keys)) : undefined
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
          fetchWhatIsNeeded(served, following, fetching)
        }),
      )
      writing.use(keepPruning(index.retention, (id) => definitions.get(id)?.plan?.windowHours))
      return writing
    }),
  )
  const { address, family, port } = server.address() as AddressInfo
  const running = stack.move()
  return {
    url: `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`,
    counts,
    [Symbol.asyncDispose]: () => running.disposeAsync(),
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

/** Has labelers followed and the past fetched that definitions speak of. */
function fetchWhatIsNeeded(
  served: readonly LiveDefinition[],
  following: Following,
  backfill: Backfill | undefined,
): void {
  const wanted = served.flatMap(({ plan }) => plan?.definition ?? [])
  for (const definition of wanted) following.wantLabelers(needsOf(definition).labelers)
  backfill?.want(wanted)
}

function createBackfill({ serviceDid, devMode }: FeedgenConfig, index: Index, keys: AuthorKeys): Backfill {
  const servers = new Servers({ authors: keys, allowPrivate: devMode })
  return new Backfill({ servers, index: index.writer, pending: index.pending, serviceDid })
}

async function listen(server: Server, { port, listenHost }: FeedgenConfig): Promise<Server> {
  server.listen(port, listenHost)
  await once(server, 'listening')
  return server
}

/** Ends the server once what is being answered is answered, or after a while. */
async function stop(server: Server): Promise<void> {
  const closed = once(server, 'close')
  server.close()
  const timer = setTimeout(() => server.closeAllConnections(), stopMsMax)
  await closed
  clearTimeout(timer)
}
