/**
 * Our PDS and `@atproto/pds` side by side, each with an account and with stand-ins for the services
 * that it passes requests on to.
 */
import { AtpAgent } from '@atproto/api'
import { request } from 'undici'
import { expect } from 'vitest'
import {
  type AppViewStandIn,
  appViewEnv,
  type Received,
  type StandInAnswer,
  startAppView,
} from './app-view.ts'
import { createUser, type InProcessPds, startPds, type TestUser } from './pds.ts'
import { startPlc } from './plc.ts'
import { startReferencePds } from './reference-pds.ts'

/** A PDS, the services that it knows, and an account on it with a token of each kind. */
export interface Side {
  readonly url: string
  readonly services: AppViewStandIn
  readonly user: TestUser
  readonly tokens: { readonly full: string; readonly plain: string; readonly privileged: string }
}

export interface Sides extends AsyncDisposable {
  readonly ours: Side
  readonly theirs: Side
  /** The PLC directory of both. */
  readonly plcUrl: string
  /** Ours, to look inside. */
  readonly pds: InProcessPds
  /** Asks both, expects them to agree, and gives what ours did. */
  agree(asked: AskOf): ReturnType<typeof ask>
  /**
   * The same for a request that a PDS makes itself instead of passing one on: the headers of the
   * library that it uses, and the words that it finds for a failure, are its own.
   */
  agreeOnSent(asked: AskOf): Promise<{ status: number; body: string | undefined; reached: object[] }>
  /** Says what a method of the services answers. */
  answerWith(nsid: string, answer: (side: Side) => StandInAnswer): void
  /** Forgets what the services answer and what reached them. */
  reset(): void
}

/** Starts both, with a PLC directory between them. */
export async function startSides(): Promise<Sides> {
  await using stack = new AsyncDisposableStack()
  const plc = stack.use(await startPlc())
  const services = [stack.use(await startAppView()), stack.use(await startAppView())] as const
  const [pds, reference] = await Promise.all([
    startPds({ plcUrl: plc.url, env: appViewEnv(services[0]) }),
    startReferencePds(plc.url, appViewEnv(services[1])),
  ])
  stack.use(pds)
  stack.use(reference)
  const ours = await side(pds.url, services[0], 'ann')
  const theirs = await side(reference.url, services[1], 'bea')
  const both = [ours, theirs]
  const owned = stack.move()
  return {
    ours,
    theirs,
    plcUrl: plc.url,
    pds,
    async agree(asked) {
      const [our, their] = await Promise.all([ask(ours, asked), ask(theirs, asked)])
      expect(our).toEqual(their)
      return our
    },
    async agreeOnSent(asked) {
      const [our, their] = await Promise.all([sent(ours, asked), sent(theirs, asked)])
      expect(our).toEqual(their)
      return our
    },
    answerWith(nsid, answer) {
      for (const side of both) side.services.answers.set(nsid, answer(side))
    },
    reset() {
      for (const { services } of both) {
        services.received.length = 0
        services.answers.clear()
      }
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

async function side(url: string, services: AppViewStandIn, name: string): Promise<Side> {
  const user = await createUser({ url }, name)
  const appPassword = async (name: string, privileged: boolean): Promise<string> => {
    const { data } = await user.agent.com.atproto.server.createAppPassword({ name, privileged })
    const agent = new AtpAgent({ service: url })
    await agent.login({ identifier: user.did, password: data.password })
    return agent.session?.accessJwt as string
  }
  const tokens = {
    full: user.agent.session?.accessJwt as string,
    plain: await appPassword('plain', false),
    privileged: await appPassword('privileged', true),
  }
  return { url, services, user, tokens }
}

async function sent(side: Side, asked: AskOf) {
  const { status, body, reached } = await ask(side, asked)
  const requests = reached.map((text) => JSON.parse(text) as Received)
  return {
    status,
    body: status < 400 ? body : undefined,
    reached: requests.map(({ method, path, body, token }) => ({ method, path, body, token })),
  }
}

/** A request. */
export interface Ask {
  readonly method?: 'GET' | 'HEAD' | 'POST' | 'PUT'
  readonly path: string
  /** Left out: the full password's. */
  readonly token?: keyof Side['tokens'] | null
  readonly headers?: Record<string, string>
  readonly body?: string | Buffer
}

export type AskOf = Ask | ((side: Side) => Ask)

/** Headers of an answer that clients depend on. */
const ANSWER_HEADERS = [
  'content-type',
  'content-encoding',
  'content-language',
  'atproto-repo-rev',
  'atproto-content-labelers',
  'retry-after',
  'cache-control',
  'vary',
  'x-secret',
  'access-control-allow-origin',
]

/** Headers of a request that a service is not to miss, or not to see. */
const REQUEST_HEADERS = [
  'accept-language',
  'accept-encoding',
  'atproto-accept-labelers',
  'atproto-proxy',
  'content-type',
  'content-length',
  'content-encoding',
  'cookie',
  'x-atproto-thing',
  'x-bsky-topics',
  'x-forwarded-for',
  'x-secret',
]

/**
 * Asks one PDS; what came back and what reached its services, without what is different on every
 * host.
 */
export async function ask(side: Side, asked: AskOf) {
  const {
    method = 'GET',
    path,
    token = 'full',
    headers = {},
    body,
  } = typeof asked === 'function' ? asked(side) : asked
  side.services.received.length = 0
  const answer = await request(side.url + path, {
    method,
    body,
    headers: { ...(token !== null && { authorization: `Bearer ${side.tokens[token]}` }), ...headers },
  })
  const bytes = Buffer.from(await answer.body.arrayBuffer())
  const text = (value: unknown) => neutral(side, JSON.stringify(sorted(value)))
  return {
    status: answer.statusCode,
    headers: pick(answer.headers, ANSWER_HEADERS),
    body: answer.headers['content-encoding'] === undefined ? text(parsed(bytes)) : bytes.toString('base64'),
    reached: side.services.received.map(({ method, path, headers, body, token }: Received) =>
      text({
        method,
        path,
        headers: pick(headers, REQUEST_HEADERS),
        body: parsed(body),
        token: token && {
          iss: token.iss,
          aud: token.aud,
          lxm: token.lxm,
          seconds: Number(token.exp) - Number(token.iat),
        },
      }),
    ),
  }
}

function pick(headers: Record<string, unknown>, names: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(
    names.filter((name) => headers[name] !== undefined).map((name) => [name, headers[name]]),
  )
}

/**
 * The same with the keys of every object in order: that in which a PDS writes them says nothing.
 */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
  return Object.fromEntries(entries.map(([key, item]) => [key, sorted(item)]))
}

function parsed(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'))
  } catch {
    return withoutOurAdditions(bytes.toString('utf8'))
  }
}

/**
 * A page of the OAuth library without what is added to it here: the script that leads to the second
 * factor, and a link at its foot.
 */
function withoutOurAdditions(page: string): string {
  return page
    .replace('<script type="module" src="/account/second-factor/scripts/sign-in.js"></script>', '')
    .replace(/\{\\"title\\":\{\\"en\\":\\"Two-step sign-in\\"\},\\"href\\":\\"[^"\\]*\\"\}/, '')
}

function neutral({ url, services, user }: Side, text: string): string {
  return [
    [user.did, 'DID'],
    [user.handle, 'HANDLE'],
    [services.did, 'SERVICES'],
    [encodeURIComponent(services.did), 'SERVICES'],
    [services.url, 'SERVICES-URL'],
    [url, 'PDS'],
  ].reduce((text, [from, to]) => text.replaceAll(from as string, to as string), text)
}
