/** How requests written by hand are made, and what several scenes speak of. */
import { cidForRaw, formatCid } from '#protocol/cid.ts'
import { tidFromMicros } from '#protocol/tid.ts'
import type { Case } from '../cases.ts'
import { type Ask, exchange } from '../exchange.ts'
import { createdAt, LIKE, type Peer, POST, type UserName } from '../peers.ts'

export type Body = Record<string, unknown>
export type Of<T> = T | ((peer: Peer) => T | Promise<T>)

export const resolve = async <T>(value: Of<T>, peer: Peer): Promise<T> =>
  typeof value === 'function' ? (value as (peer: Peer) => T | Promise<T>)(peer) : value

/** A case of a scene: the request in full. */
export const scene = (key: string, ask: Of<Ask>): Case => ({ key, ask: (peer) => resolve(ask, peer) })

export const as = (user: UserName) => (peer: Peer) => ({ authorization: `Bearer ${peer.users[user].access}` })

/** A procedure called by carol. */
export function call(method: string, label: string, body: Of<unknown>, more: Partial<Ask> = {}): Case {
  const nsid = `com.atproto.repo.${method}`
  return scene(`${nsid}: ${label}`, async (peer) => ({
    path: nsid,
    verb: 'POST',
    body: await resolve(body as Of<Body>, peer),
    ...more,
    headers: { ...as('carol')(peer), ...more.headers },
  }))
}

export const carol = (body: Body) => (peer: Peer) => ({ repo: peer.users.carol.did, ...body })

let created = 0
/** A record without a key of its own gets one that is the same on both servers. */
export const create = (label: string, body: Body) =>
  call(
    'createRecord',
    label,
    carol({ collection: POST, rkey: tidFromMicros(1_600_000_000_000_000 + created++, 0), ...body }),
  )
export const put = (label: string, body: Body) =>
  call('putRecord', label, carol({ collection: POST, ...body }))
export const remove = (label: string, body: Body) =>
  call('deleteRecord', label, carol({ collection: POST, ...body }))

/** Carol's records of a collection, as they are now. */
export const look = (label: string, collection: string = POST): Case =>
  scene(`${label}: then there are`, ({ users }) => ({
    path: 'com.atproto.repo.listRecords',
    query: { repo: users.carol.did, collection, limit: 100 },
  }))

export const headOf = async ({ url, users }: Peer): Promise<string> => {
  const query = { did: users.carol.did } as const
  const { body } = await exchange(url, { path: 'com.atproto.sync.getLatestCommit', query })
  return JSON.parse(body.toString()).cid
}

export const unknownCid = 'bafyreihnkxh4q4bsbsqp6t3kmbsnz2a5hz2a7kzbwxgtaqphlrvmcqsegq'
export const unknownBlob = formatCid(cidForRaw(Buffer.from('not there')))
export const blobJson = (link: string, mimeType: string, size: unknown) => ({
  $type: 'blob',
  ref: { $link: link },
  mimeType,
  size,
})
export const reply = (uri: string, cid = unknownCid) => ({ root: { uri, cid }, parent: { uri, cid } })
export const uri = 'at://did:plc:aaaaaaaaaaaaaaaaaaaaaaaa/app.bsky.feed.post/3laaaaaaaaaaa'

export const like = (n: number, more: object = {}) => ({
  $type: LIKE,
  subject: { uri: uri.replace(/a$/, String(n + 2)), cid: unknownCid },
  createdAt,
  ...more,
})

/** A page that is asked for by nobody. */
export const page = (verb: string, path: string, headers: Record<string, string> = {}): Case =>
  scene(`${verb} ${path} ${JSON.stringify(headers)}`, { verb, path, headers })
