/**
 * A stand-in for a Jetstream server, which speaks both forms of the stream: `/subscribe`, and
 * `network.bsky.jetstream.subscribeEvents` with its dictionary.
 */
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { zstdCompressSync } from 'node:zlib'
import { type WebSocket, WebSocketServer } from 'ws'
import { readCar } from '#protocol/car.ts'
import { decode } from '#protocol/cbor.ts'
import { formatCid } from '#protocol/cid.ts'
import type { AccountEvent, CommitEvent, IdentityEvent, SyncEvent } from '#protocol/frame.ts'
import { valueToJson } from '#protocol/json.ts'
import { DICTIONARY, DICTIONARY_ID } from './zstd-dictionary.ts'

type JetstreamInput =
  | Omit<CommitEvent, 'seq'>
  | Omit<AccountEvent, 'seq'>
  | Omit<IdentityEvent, 'seq'>
  | Omit<SyncEvent, 'seq'>

export interface Jetstream extends AsyncDisposable {
  /** The URL of the form whose cursor is a time. */
  readonly plain: string
  /** The URL of the form whose cursor is a sequence number. */
  readonly events: string
  /** The query strings that subscribers came with. */
  readonly queries: URLSearchParams[]
  /** The number of the dictionary; none is to be had while it is undefined. */
  dictionary: number | undefined
  /** The sequence number below which a cursor is refused. */
  floor: number
  /**
   * Sends an event: a message for each op of a commit. Returns the last one's cursors in both
   * forms.
   */
  emit(event: JetstreamInput): { micros: number; seq: number }
  /** Sends text as it stands. */
  send(text: string): void
  /** Ends all connections without a word. */
  cut(): void
}

interface Message {
  seq: number
  micros: number
  plain: object | null
  event: object
}

const EVENTS = 'network.bsky.jetstream.subscribeEvents'

/** Starts a server on a free port. */
export async function startJetstream(): Promise<Jetstream> {
  const log: Message[] = []
  const queries: URLSearchParams[] = []
  const sockets = new Map<WebSocket, (message: Message) => void>()
  const upgrader = new WebSocketServer({ noServer: true })
  const firstMicros = Date.now() * 1000

  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://jetstream')
    if (pathname === '/xrpc/network.bsky.jetstream.getZstdDictionary' && jetstream.dictionary !== undefined) {
      const bytes = Buffer.from(DICTIONARY)
      bytes.writeUInt32LE(jetstream.dictionary, 4)
      response.setHeader('content-type', 'application/octet-stream')
      response.end(bytes)
    } else refuse(response, 404, 'DictionaryNotFound')
  })
  server.on('upgrade', (request, socket, head) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://jetstream')
    queries.push(searchParams)
    const isPlain = pathname === '/subscribe'
    const cursor = searchParams.has('cursor') ? Number(searchParams.get('cursor')) : Number.POSITIVE_INFINITY
    const dictionary = searchParams.get('zstdDictionary')
    const reject = (error: string) => {
      const body = JSON.stringify({ error, message: 'no' })
      socket.end(
        `HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\nconnection: close\r\n\r\n${body}`,
      )
    }
    if (!isPlain && dictionary !== null && Number(dictionary) !== jetstream.dictionary)
      return reject('UnknownZstdDictionary')
    if (!isPlain && cursor < jetstream.floor) return reject('CursorTooOld')
    upgrader.handleUpgrade(request, socket, head, (socket) => {
      const bytes = Buffer.from(DICTIONARY)
      if (dictionary !== null) bytes.writeUInt32LE(Number(dictionary), 4)
      const write = ({ plain, event }: Message) => {
        if (isPlain && plain === null) return
        const text = JSON.stringify(isPlain ? plain : { $type: 'message', payload: event })
        if (dictionary === null) socket.send(text)
        else socket.send(zstdCompressSync(text, { dictionary: bytes }), { binary: true })
      }
      sockets.set(socket, write)
      socket.on('close', () => sockets.delete(socket))
      socket.on('error', () => undefined)
      // Both forms replay what stands at the cursor itself.
      for (const message of log) {
        if ((cursor >= 1e15 ? message.micros : message.seq) >= cursor) write(message)
      }
    })
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo

  const append = (kind: string, did: string, plain: object | null, body: object) => {
    const seq = log.length + 1
    const micros = firstMicros + seq
    const time = new Date(micros / 1000).toISOString().replace('Z', '000Z')
    const message = {
      seq,
      micros,
      plain: plain && { did, time_us: micros, kind, ...plain },
      event: { $type: `${EVENTS}#${kind}`, seq, did, time, witnessedAt: time, ...body },
    }
    log.push(message)
    for (const write of sockets.values()) write(message)
    return { micros, seq }
  }
  const jetstream: Jetstream = {
    plain: `ws://127.0.0.1:${port}/subscribe`,
    events: `ws://127.0.0.1:${port}/xrpc/${EVENTS}`,
    queries,
    dictionary: DICTIONARY_ID,
    floor: 0,
    emit(event) {
      if (event.kind !== 'commit') {
        const { kind, ...rest } = event
        const body = {
          ...rest,
          seq: 1,
          ...('blocks' in rest
            ? { blocks: { $bytes: Buffer.from(rest.blocks).toString('base64').replace(/=+$/, '') } }
            : {}),
        }
        return append(kind, event.did, kind === 'sync' ? null : { [kind]: body }, { [kind]: body })
      }
      const { blocks } = readCar(event.blocks)
      const cursors = event.ops.map(({ action, path, cid }) => {
        const [collection, rkey] = path.split('/')
        const record =
          cid === null ? {} : { cid: formatCid(cid), record: valueToJson(decode(blocks.get(cid)!)) }
        const commit = { rev: event.rev, operation: action, collection, rkey, ...record }
        return append('commit', event.repo, { commit }, commit)
      })
      return cursors.at(-1)!
    },
    send(text) {
      for (const socket of sockets.keys()) socket.send(text)
    },
    cut() {
      for (const socket of sockets.keys()) socket.terminate()
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets.keys()) socket.terminate()
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
  return jetstream
}

function refuse(response: ServerResponse, status: number, error: string): void {
  response.statusCode = status
  response.setHeader('content-type', 'application/json')
  response.end(JSON.stringify({ error, message: 'no' }))
}
