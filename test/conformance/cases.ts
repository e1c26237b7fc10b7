/** What can be made wrong about the call of a method, out of its lexicon. */
import { schemas } from '@atproto/api'
import type { LexiconDoc, LexUserType, LexXrpcProcedure, LexXrpcQuery } from '@atproto/lexicon'
import { type Ask, exchange } from './exchange.ts'
import { adminHeader, type Peer, SERVICE_DID, type TokenClaims, type VoucherName } from './peers.ts'
import { type Right, rightCalls } from './right-calls.ts'
import { inputValues, type Property, paramValues } from './values.ts'

/** One request that both servers get. `key` names it among all. */
export interface Case {
  readonly key: string
  readonly ask: (peer: Peer) => Ask | Promise<Ask>
}

const documents = new Map<string, LexiconDoc>(schemas.map((document) => [document.id, document]))

/** The NSIDs of all methods that have a lexicon. */
export const methods: readonly string[] = [...documents.values()]
  .filter(({ defs }) => ['query', 'procedure'].includes(defs.main?.type ?? ''))
  .map(({ id }) => id)

function definitionOf(nsid: string): LexXrpcQuery | LexXrpcProcedure {
  const main = documents.get(nsid)?.defs.main as LexUserType | undefined
  if (main?.type !== 'query' && main?.type !== 'procedure') throw new Error(`no method ${nsid}`)
  return main
}

/** The names of the errors that a method's lexicon declares. */
export const declaredErrors = (nsid: string): string[] =>
  (definitionOf(nsid).errors ?? []).map(({ name }) => name)

type Params = Record<string, unknown>

/** The request of a right call with parts of it replaced. */
export function askOf(
  nsid: string,
  peer: Peer,
  {
    params,
    input,
    authorization,
    ...rest
  }: Partial<Ask> & { params?: Params; input?: unknown; authorization?: string } = {},
): Ask {
  const right = rightCalls[nsid]!
  const isProcedure = definitionOf(nsid).type === 'procedure'
  const headers: Record<string, string | undefined> = {
    authorization: authorization ?? authorizationOf(right, peer),
    ...(right.bytes && { 'content-type': right.bytes[0] }),
  }
  return {
    path: nsid,
    verb: isProcedure ? 'POST' : 'GET',
    query: params ?? right.params?.(peer) ?? {},
    body: isProcedure ? (input ?? right.bytes?.[1] ?? right.input?.(peer)) : undefined,
    ...rest,
    headers: { ...headers, ...rest.headers },
  }
}

function authorizationOf({ access, user = 'alice' }: Right, peer: Peer): string | undefined {
  if (access === 'operator') return adminHeader
  if (access === 'access') return `Bearer ${peer.users[user].access}`
  return access === 'refresh' ? `Bearer ${peer.users[user].refresh}` : undefined
}

const short = (value: unknown): string => {
  const text = JSON.stringify(value) ?? 'undefined'
  return text.length > 120 ? `${text.slice(0, 40)}… (${text.length})` : text
}

/** Each parameter left out, doubled, and set to every value of its type and others. */
export function paramCases(nsid: string): Case[] {
  const right = rightCalls[nsid]!
  const { parameters } = definitionOf(nsid)
  const cases: Case[] = []
  const add = (label: string, change: (params: Params, peer: Peer) => Params) => {
    const ask = (peer: Peer) => askOf(nsid, peer, { params: change({ ...right.params?.(peer) }, peer) })
    cases.push({ key: `${nsid} ? ${label}`, ask })
  }
  add('right', (params) => params)
  add('one more', (params) => ({ ...params, more: 'x' }))
  for (const [name, property] of Object.entries(parameters?.properties ?? {})) {
    add(`without ${name}`, ({ [name]: _, ...rest }) => rest)
    add(`${name} twice`, (params) => ({ ...params, [name]: [params[name] ?? '1', params[name] ?? '1'] }))
    for (const value of new Set(paramValues(property as Property))) {
      add(`${name}=${short(value)}`, (params) => ({ ...params, [name]: value }))
    }
  }
  return cases
}

/** Each property of the body left out, and set to every value of its type and others. */
export function inputCases(nsid: string): Case[] {
  const right = rightCalls[nsid]!
  const definition = definitionOf(nsid)
  if (definition.type !== 'procedure' || definition.input?.schema?.type !== 'object') return []
  const cases: Case[] = []
  const add = (label: string, change: (input: Params) => unknown) => {
    const ask = (peer: Peer) => askOf(nsid, peer, { input: change({ ...right.input?.(peer) }) })
    cases.push({ key: `${nsid} < ${label}`, ask })
  }
  add('right', (input) => input)
  add('one more', (input) => ({ ...input, more: 'x' }))
  for (const [name, property] of Object.entries(definition.input.schema.properties)) {
    add(`without ${name}`, ({ [name]: _, ...rest }) => rest)
    for (const value of new Set(inputValues(property as Property))) {
      add(`${name}: ${short(value)}`, (input) => ({ ...input, [name]: value }))
    }
  }
  return cases
}

/** Every verb, every kind of body, every content type. */
export function transportCases(nsid: string): Case[] {
  const isProcedure = definitionOf(nsid).type === 'procedure'
  const cases: Case[] = []
  const add = (label: string, change: Parameters<typeof askOf>[2]) => {
    cases.push({ key: `${nsid} ! ${label}`, ask: (peer) => askOf(nsid, peer, change) })
  }
  for (const verb of ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS']) {
    add(verb, { verb, ...(verb === 'GET' || verb === 'HEAD' ? { body: undefined } : {}) })
  }
  const origin = 'https://app.example'
  add('from another origin', { headers: { origin } })
  add('compressed', { headers: { 'accept-encoding': 'gzip' } })
  add('behind a proxy', {
    headers: {
      'x-forwarded-for': '9.9.9.9',
      'x-forwarded-proto': 'https',
      'x-forwarded-host': 'pds.example',
      via: '1.1 proxy.example',
    },
  })
  add('a copy that is any', { headers: { 'if-none-match': '*' } })
  cases.push({ key: `${nsid} ! a copy that is the same`, ask: (peer) => withEtag(nsid, peer) })
  add('a copy that is another', { headers: { 'if-none-match': 'W/"another"' } })
  add('a preflight', {
    verb: 'OPTIONS',
    body: undefined,
    headers: {
      origin,
      'access-control-request-method': isProcedure ? 'POST' : 'GET',
      'access-control-request-headers': 'authorization,content-type,atproto-accept-labelers',
    },
  })
  add('a slash at the end', { path: `${nsid}/` })
  add('in capitals', { path: nsid.toUpperCase() })
  if (!isProcedure) {
    add('with a body', { body: { a: 1 } })
    add('with a broken body', { body: Buffer.from('{'), headers: { 'content-type': 'application/json' } })
    return cases
  }
  const isJson = rightCalls[nsid]?.input !== undefined
  for (const text of [
    '',
    'null',
    '[]',
    '7',
    '"x"',
    'true',
    '{',
    '{}',
    '{"a":1}',
    '{"a":1}x',
    '\u00ff',
    '{"__proto__":{"a":1}}',
  ]) {
    add(`body ${short(text)}`, {
      body: Buffer.from(text, 'latin1'),
      headers: { 'content-type': 'application/json' },
    })
  }
  add('no body', { body: undefined })
  add('no body and a type', { body: undefined, headers: { 'content-type': 'application/json' } })
  add('a body in chunks', { chunked: true })
  for (const type of [
    undefined,
    '',
    'text/plain',
    'application/json; charset=utf-8',
    'application/json;charset=latin1',
    'APPLICATION/JSON',
    'application/jsonx',
    'application/ld+json',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'image/png',
    '*/*',
    'rubbish',
  ]) {
    cases.push({
      key: `${nsid} ! type ${type}`,
      ask: (peer) => {
        const ask = askOf(nsid, peer, { headers: { 'content-type': type } })
        return { ...ask, body: isJson ? Buffer.from(JSON.stringify(ask.body)) : ask.body }
      },
    })
  }
  for (const encoding of ['gzip', 'identity', 'rubbish']) {
    add(`encoding ${encoding}, wrongly`, { headers: { 'content-encoding': encoding } })
  }
  const large = (bytes: number) => Buffer.from(JSON.stringify({ text: 'x'.repeat(bytes) }))
  add('200 kB', { body: large(200_000), headers: { 'content-type': 'application/json' } })
  add('1.1 MB', { body: large(1_100_000), headers: { 'content-type': 'application/json' } })
  return cases
}

/** A right call by who has the answer already. */
async function withEtag(nsid: string, peer: Peer): Promise<Ask> {
  const asked = askOf(nsid, peer)
  const { headers } = await exchange(peer.url, asked)
  return { ...asked, headers: { ...asked.headers, 'if-none-match': String(headers.etag ?? 'none') } }
}

/** Every way to say, or not to say, who one is. */
export function authCases(nsid: string): Case[] {
  const { user = 'alice', access } = rightCalls[nsid]!
  const cases: Case[] = []
  const add = (
    label: string,
    authorization: (peer: Peer) => string | undefined | Promise<string | undefined>,
  ) => {
    cases.push({
      key: `${nsid} @ ${label}`,
      ask: async (peer) => {
        const value = await authorization(peer)
        return { ...askOf(nsid, peer, { headers: { authorization: value } }) }
      },
    })
  }
  const forged = (label: string, claims: TokenClaims, who: string = user) =>
    add(label, async (peer) => `Bearer ${await peer.token(who, claims)}`)
  add('nobody', () => undefined)
  for (const text of [
    '',
    'x',
    'Bearer',
    'Bearer ',
    'Bearer x',
    'Bearer x.y.z',
    'Bearer a b',
    'Digest x',
    'DPoP x',
    'Basic x',
    'Basic YWRtaW46d3Jvbmc=',
    'Basic Og==',
  ]) {
    add(`"${text}"`, () => text)
  }
  add('the operator', () => adminHeader)
  add('the account', ({ users }) => `Bearer ${users[user].access}`)
  add('in small letters', ({ users }) => `bearer ${users[user].access}`)
  add('two spaces', ({ users }) => `Bearer  ${users[user].access}`)
  add('a space at the end', ({ users }) => `Bearer ${users[user].access} `)
  add('DPoP', ({ users }) => `DPoP ${users[user].access}`)
  add('the refresh token', ({ users }) => `Bearer ${users[user].refresh}`)
  add('another account', ({ users }) => `Bearer ${users.dora.access}`)
  add('tampered with', ({ users }) => `Bearer ${users[user].access.slice(0, -4)}AAAA`)
  for (const name of ['upload', 'elsewhere', 'another method', 'moving'] as const satisfies VoucherName[])
    add(`a service token, ${name}`, ({ vouchers }) => `Bearer ${vouchers[name]}`)
  const moderator = (label: string, claims: Parameters<Peer['moderator']>[0]) =>
    add(`a moderator${label}`, async (peer) => `Bearer ${await peer.moderator(claims)}`)
  moderator('', { lxm: nsid })
  moderator(', no method', { lxm: null })
  moderator(', another method', { lxm: 'com.example.method' })
  moderator(', another server', { lxm: nsid, aud: 'did:web:other.example' })
  moderator(', a service', { lxm: nsid, aud: `${SERVICE_DID}#atproto_pds` })
  add('a stranger as a moderator', async (peer) => {
    const iss = peer.users.alice.did
    return `Bearer ${await peer.moderator({ lxm: nsid, iss })}`
  })
  forged('of our own making', {})
  forged('expired', { expires: -5 })
  forged('for another server', { aud: 'did:web:other.example' })
  forged('for no DID', { aud: 'localhost' })
  forged('another type', { typ: 'jwt' })
  forged('another secret', { secret: 'another secret' })
  forged('unsigned', { unsigned: true })
  forged('no scope', { scope: null })
  forged('a strange scope', { scope: 'com.example.scope' })
  forged('an app password', { scope: 'com.atproto.appPass' })
  forged('a privileged app password', { scope: 'com.atproto.appPassPrivileged' })
  forged('of an account taken down', { scope: 'com.atproto.takendown' })
  forged('of an account that waits', { scope: 'com.atproto.signupQueued' })
  forged('for one method', { extra: { lxm: 'com.atproto.repo.createRecord' } })
  forged('bound to a key', { extra: { cnf: { jkt: 'x' } } })
  forged('a strange id', { extra: { jti: 7 } })
  forged('of nobody', {}, 'did:plc:aaaaaaaaaaaaaaaaaaaaaaaa')
  forged('of no DID', {}, 'alice-here.test')
  forged('of a bad DID', {}, 'did:x')
  const refresh = { scope: 'com.atproto.refresh', typ: 'refresh+jwt', extra: { jti: 'unknown' } }
  forged('a refresh token of our own making', refresh)
  forged('a refresh token without an id', { ...refresh, extra: {} })
  forged('a refresh token that expired', { ...refresh, expires: -5 })
  forged('a refresh token of nobody', refresh, 'did:plc:aaaaaaaaaaaaaaaaaaaaaaaa')
  forged('a refresh token that is none', { typ: 'refresh+jwt', extra: { jti: 'unknown' } })
  if (access !== 'anybody') {
    for (const who of ['dora', 'tania'] as const) {
      forged(`${who}`, {}, who)
      forged(`${who}, app password`, { scope: 'com.atproto.appPass' }, who)
      forged(`${who}, scope takendown`, { scope: 'com.atproto.takendown' }, who)
      forged(`${who}, refresh`, refresh, who)
    }
  }
  return cases
}

/** The names of what a method is about. */
const subjects = new Set(['did', 'repo', 'account', 'actor'])

/**
 * What is said of accounts that are not active, to strangers, to themselves and to the operator.
 */
export function statusCases(nsid: string): Case[] {
  const right = rightCalls[nsid]!
  const cases: Case[] = []
  if (right.isFinal) return cases
  // Writes go to bob, or to whom they are for, so that what is read stays alike.
  const active = definitionOf(nsid).type === 'procedure' ? (right.user ?? 'bob') : 'empty'
  for (const who of ['dora', 'tania', active] as const) {
    const viewers: readonly (readonly [string, (peer: Peer) => string | undefined | Promise<string>])[] = [
      ['a stranger', () => undefined],
      ['another', ({ users }) => `Bearer ${users.alice.access}`],
      [who, ({ users }) => `Bearer ${users[who].access}`],
      [
        `${who}, scope takendown`,
        async (peer) => `Bearer ${await peer.token(who, { scope: 'com.atproto.takendown' })}`,
      ],
      ['the operator', () => adminHeader],
    ]
    for (const [viewer, authorization] of viewers) {
      cases.push({
        key: `${nsid} # ${who} to ${viewer}`,
        ask: async (peer) => {
          const of = (values: Params | undefined) =>
            values &&
            Object.fromEntries(
              Object.entries(values).map(([name, value]) => {
                if (subjects.has(name)) return [name, peer.users[who].did]
                return [name, name === 'handle' || name === 'identifier' ? peer.users[who].handle : value]
              }),
            )
          const ask = askOf(nsid, peer, { params: of(right.params?.(peer)), input: of(right.input?.(peer)) })
          return { ...ask, headers: { ...ask.headers, authorization: await authorization(peer) } }
        },
      })
    }
  }
  return cases
}
