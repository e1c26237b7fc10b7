/**
 * What is compared of the two servers' answers. What differs by nature (DIDs, CIDs of commits,
 * revisions, times, tokens, ports) is replaced by its kind.
 */
import { createHash } from 'node:crypto'
import { decodeJwt, decodeProtectedHeader } from 'jose'
import { type Car, readCar } from '#protocol/car.ts'
import { decode, decodeFirst } from '#protocol/cbor.ts'
import { formatCid } from '#protocol/cid.ts'
import { type Ask, exchange } from './exchange.ts'
import type { Peer } from './peers.ts'

/** What it answers, as far as a client depends on it. */
export interface Answer {
  readonly status: number
  /** JSON, with what differs by nature named by its kind; other bodies by their type. */
  readonly body: unknown
  readonly headers: Record<string, string | undefined>
}

/** Headers that a client's behaviour depends on. */
const comparedHeaders = [
  'access-control-allow-headers',
  'access-control-allow-methods',
  'access-control-allow-origin',
  'access-control-expose-headers',
  'access-control-max-age',
  'allow',
  'atproto-content-labelers',
  'atproto-repo-rev',
  'cache-control',
  'content-disposition',
  'content-encoding',
  'content-language',
  'content-security-policy',
  'content-type',
  'location',
  'www-authenticate',
  'x-content-type-options',
]

/**
 * What every response of ours below `/xrpc/` has; the reference's only where it hands out blobs.
 * Shown in `test/pds/xrpc/index.test.ts`.
 */
const sandboxed: Readonly<Record<string, string>> = {
  'content-security-policy': "default-src 'none'; sandbox",
  'x-content-type-options': 'nosniff',
}

const CAR = 'application/vnd.ipld.car'

/** A server's answer to a request, ready to be compared. */
export async function ask(peer: Peer, ask: Ask): Promise<Answer> {
  const answer = await exchange(peer.url, ask).catch((error: Error & { code?: string }) => error)
  if (answer instanceof Error)
    return { status: 0, headers: {}, body: { error: answer.code ?? answer.message } }
  const { status, headers, body } = answer
  const compared = Object.fromEntries(
    comparedHeaders.map((name) => [name, normalize(String(headers[name] ?? ''), peer) || undefined]),
  )
  if (!ask.path.startsWith('/') || ask.path.startsWith('/xrpc/')) {
    for (const [name, value] of Object.entries(sandboxed)) if (compared[name] === value) delete compared[name]
  }
  // Of the many reasons why an answer varies, one decides whether a cache may give it to another.
  if (
    String(headers.vary ?? '')
      .toLowerCase()
      .includes('authorization')
  )
    compared['varies by authorization'] = 'yes'
  // What it says depends on the bytes, which differ where they name a server.
  if (headers.etag !== undefined) compared.etag = String(headers.etag).startsWith('W/') ? 'weak' : 'strong'
  const type = String(headers['content-type'] ?? '')
  // A length that is wrong breaks the connection. The reference streams CAR files, which have none.
  if (headers['content-length'] !== undefined && ask.verb !== 'HEAD' && body.length > 0 && type !== CAR) {
    compared['content-length'] = Number(headers['content-length']) === body.length ? 'right' : 'wrong'
  }
  return {
    status,
    headers: compared,
    body: comparable(body, type, peer, status),
  }
}

function comparable(body: Buffer, type: string, peer: Peer, status: number): unknown {
  if (body.length === 0) return '(nothing)'
  if (type.startsWith('application/json')) {
    const value = withSortedInfos(withoutCommits(JSON.parse(normalize(body.toString(), peer))))
    return status >= 400 && isObject(value) ? { ...value, message: withoutCids(value.message) } : value
  }
  if (type === CAR) return describeCar(readCar(body), peer)
  if (type.startsWith('text/')) return status === 404 ? body.toString() : '(text)'
  return `${body.length} bytes: ${createHash('sha256').update(body).digest('hex')}`
}

/** Messages may name commits, which differ with their signatures. */
const withoutCids = (message: unknown): string => String(message).replace(/\bbafyrei[a-z2-7]{52}\b/g, '<cid>')

/** With its accounts in order: the reference gives them as its database has them. */
function withSortedInfos(value: unknown): unknown {
  if (!isObject(value) || !Array.isArray(value.infos)) return value
  const infos = value.infos.map((info) => ({ info, text: JSON.stringify(info) }))
  return { ...value, infos: infos.sort((a, b) => (a.text < b.text ? -1 : 1)).map(({ info }) => info) }
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null

/**
 * Names the CIDs of commits by their kind: they differ with their signatures. Those of records are
 * the same on both servers.
 */
function withoutCommits(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutCommits)
  if (!isObject(value)) return value
  const isCommit = (key: string) =>
    key === 'head' || key === 'root' || key === 'repoCommit' || (key === 'cid' && 'rev' in value)
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [
      key,
      isCommit(key) ? `<${typeof item}>` : withoutCommits(item),
    ]),
  )
}

interface JsonOp {
  readonly action: string
  readonly path: string
  readonly cid: { readonly '/': string } | null
  readonly prev?: { readonly '/': string }
}

/**
 * One op for each path: the reference lists all that one commit did to a path, where the
 * specification allows one. https://atproto.com/specs/sync
 */
function onePerPath(ops: readonly JsonOp[]): JsonOp[] {
  return [...Map.groupBy(ops, ({ path }) => path)].flatMap(([path, [first, ...more]]) => {
    const last = more.at(-1)
    if (first === undefined || last === undefined) return first ?? []
    const { cid } = last
    const prev = first.action === 'create' ? undefined : first.prev
    if (cid?.['/'] === prev?.['/']) return []
    const action = cid === null ? 'delete' : prev === undefined ? 'create' : 'update'
    return { action, path, cid, ...(prev && { prev }) }
  })
}

/** An event of the firehose, ready to be compared: its fields by name, its blocks by their CIDs. */
export function describeEvent(frame: Buffer, peer: Peer): unknown {
  const header = decodeFirst(frame)
  const { blocks, seq, commit, ops, ...fields } = decode(frame.subarray(header.end)) as Record<
    string,
    unknown
  >
  const event = JSON.parse(normalize(JSON.stringify({ ...(header.value as object), ...fields }), peer))
  return {
    ...event,
    // Their keys are the same on both servers.
    ops: ops && onePerPath(JSON.parse(JSON.stringify(ops))),
    seq: typeof seq,
    commit: typeof commit,
    blocks: blocks && describeCar(readCar(blocks as Uint8Array), peer),
  }
}

/** The blocks of a CAR, but for the commits, which are signed by different keys. */
function describeCar({ roots, blocks }: Car, peer: Peer): object {
  const commits = new Set([...roots.map(formatCid), peer.commit])
  const cids = [...blocks.keys()].map(formatCid)
  return {
    roots: roots.length,
    commits: cids.filter((cid) => commits.has(cid)).length,
    blocks: cids.filter((cid) => !commits.has(cid)).sort(),
  }
}

/** What a token says, but for its times and its id. */
function describeToken(token: string): string {
  const { iat, exp, jti, ...claims } = decodeJwt(token)
  const said = {
    ...decodeProtectedHeader(token),
    ...claims,
    // A second may begin between the request that says when it ends and the token.
    seconds: Math.round((Number(exp) - Number(iat)) / 10) * 10,
    jti: typeof jti,
  }
  return `<token ${Object.entries(said)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${name}=${value}`)
    .join(' ')}>`
}

/** Replaces what differs between two servers that hold the same. */
function normalize(text: string, { url, users }: Peer): string {
  let result = text.replaceAll(url, '<url>').replace(/eyJ[\w-]+\.[\w-]+\.[\w-]+/g, describeToken)
  for (const [name, { did }] of Object.entries(users)) result = result.replaceAll(did, `<did of ${name}>`)
  return result
    .replace(/did:plc:[a-z2-7]{24}/g, '<did>')
    .replace(/\bz[1-9A-HJ-NP-Za-km-z]{40,}\b/g, '<key>')
    .replace(/\b20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z/g, '<time>')
    .replace(/\b3[2-7a-z]{12}\b/g, '<tid>')
    .replace(/\blocalhost-[a-z2-7]{5}-[a-z2-7]{5}\b/g, '<invite code>')
    .replace(/\b[a-z2-7]{4}(-[a-z2-7]{4}){3}\b/g, '<app password>')
    .replace(/\b1[78]\d{11}(?=::)/g, '<milliseconds>')
}
