/**
 * A stand-in for a labeler: an identity with a key for labels, and a server whose `subscribeLabels`
 * sends what it is given.
 */
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { type WebSocket, WebSocketServer } from 'ws'
import { encode } from '#protocol/cbor.ts'
import { encodeErrorFrame } from '#protocol/frame.ts'
import { generateKey, type SigningKey } from '#protocol/keys.ts'
import type { Label } from '#protocol/labels.ts'
import { randomPlcDid } from './author.ts'
import type { Directory } from './directory.ts'

export interface TestLabeler extends AsyncDisposable {
  readonly did: string
  /** The name under which the feed generator keeps its cursor. */
  readonly name: string
  /** What it signs with; the directory has to be told of another one by `register`. */
  key: SigningKey
  /** The cursors that subscribers came with. */
  readonly cursors: (number | null)[]
  register(): void
  /** Says labels, all in one message, which gets the next seq. */
  label(...labels: Partial<Label>[]): number
  /** Sends bytes as they are, under the next seq. */
  send(bytes: Buffer): number
  /** How many connections there are. */
  readonly connections: number
  /** Ends all connections without a word. */
  cut(): void
}

/** Starts a labeler and puts it into the directory. */
export async function startLabeler(directory: Directory): Promise<TestLabeler> {
  const server = new WebSocketServer({
    port: 0,
    host: '127.0.0.1',
    path: '/xrpc/com.atproto.label.subscribeLabels',
  })
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const did = randomPlcDid()
  const log: { seq: number; bytes: Buffer }[] = []
  server.on('connection', (socket: WebSocket, request) => {
    const text = new URL(request.url ?? '/', 'ws://labeler').searchParams.get('cursor')
    const cursor = text === null ? null : Number(text)
    labeler.cursors.push(cursor)
    socket.on('error', () => undefined)
    if (cursor !== null && cursor > log.length) {
      socket.send(encodeErrorFrame('FutureCursor', 'Cursor in the future.'), () => socket.close(1008))
    } else if (cursor !== null) for (const { seq, bytes } of log) if (seq > cursor) socket.send(bytes)
  })
  const send = (bytes: Buffer) => {
    const seq = log.length + 1
    log.push({ seq, bytes })
    for (const socket of server.clients) socket.send(bytes)
    return seq
  }
  const labeler: TestLabeler = {
    did,
    name: `${did}#atproto_labeler`,
    key: generateKey(),
    cursors: [],
    register() {
      directory.documents.set(did, {
        id: did,
        verificationMethod: [
          {
            id: `${did}#atproto_label`,
            type: 'Multikey',
            controller: did,
            publicKeyMultibase: labeler.key.did.slice('did:key:'.length),
          },
        ],
        service: [
          { id: '#atproto_labeler', type: 'AtprotoLabeler', serviceEndpoint: `http://127.0.0.1:${port}` },
        ],
      })
    },
    label: (...labels) =>
      send(
        encodeLabelsFrame(
          log.length + 1,
          labels.map((label) =>
            signLabel(
              { ver: 1, src: did, uri: did, val: 'spam', cts: new Date().toISOString(), ...label },
              labeler.key,
            ),
          ),
        ),
      ),
    send,
    get connections() {
      return server.clients.size
    },
    cut() {
      for (const socket of server.clients) socket.terminate()
    },
    async [Symbol.asyncDispose]() {
      labeler.cut()
      await new Promise((resolve) => server.close(resolve))
    },
  }
  labeler.register()
  return labeler
}

/** The label with its labeler's signature. */
export function signLabel(label: Label, key: SigningKey): Label & { sig: Uint8Array } {
  return { ...label, sig: key.sign(encode(label)) }
}

/** The frame of signed labels. */
export function encodeLabelsFrame(seq: number, labels: readonly (Label & { sig: Uint8Array })[]): Buffer {
  return Buffer.concat([encode({ op: 1, t: '#labels' }), encode({ seq, labels })])
}
