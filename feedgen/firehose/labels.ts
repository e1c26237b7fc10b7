/**
 * The labels of one labeler, `com.atproto.label.subscribeLabels`: found by its DID document, which names its server and the key it signs with. A label that the
 * labeler did not sign, or that speaks in another's name, is passed over.
 */
import { type Logger, logger } from '#platform/log.ts'
import { FrameError } from '#protocol/frame.ts'
import { decodeLabelsFrame, type SignedLabel, verifyLabel } from '#protocol/labels.ts'
import type { NewLabel } from '../index/writer.ts'
import { type Counts, EventFault } from './counts.ts'
import type { Labeler, Labelers } from './labelers.ts'
import type { Address, From, Prepared, Reading, Stream } from './stream.ts'

export interface LabelStreamOptions {
  /** The labeler's DID. */
  did: string
  labelers: Labelers
  counts: Counts
  /** Let the labeler be on this machine. */
  allowPrivate: boolean
}

const frameBytesMax = 2_000_000
const valueBytesMax = 128
const uriCharactersMax = 2048

export class LabelStream implements Stream {
  readonly #options: LabelStreamOptions
  readonly #log: Logger = logger('firehose')

  constructor(options: LabelStreamOptions) {
    this.#options = options
  }

  get name(): string {
    return `${this.#options.did}#atproto_labeler`
  }

  /** However the other streams begin: what a labeler said long ago still applies. */
  async address(from: From): Promise<Address> {
    const { did, labelers, allowPrivate } = this.#options
    const { endpoint } = await labelers.get(did)
    const url = new URL('/xrpc/com.atproto.label.subscribeLabels', endpoint)
    url.protocol = url.protocol.replace('http', 'ws')
    if (url.protocol !== 'wss:' && !allowPrivate) throw new Error('a labeler without https')
    url.searchParams.set('cursor', String(typeof from === 'number' ? from : 0))
    return { url: url.href, publicOnly: !allowPrivate }
  }

  oversized(reason: string): void {
    this.#fault(new EventFault('oversized', reason))
  }

  read(message: Buffer | string): Reading {
    try {
      if (typeof message === 'string') throw new EventFault('malformed-frame', 'a text message')
      if (message.length > frameBytesMax)
        throw new EventFault('oversized', `a frame of ${message.length} bytes`)
      const event = decodeLabelsFrame(message)
      switch (event.kind) {
        case 'labels': {
          const { seq, labels, malformed } = event
          for (let i = 0; i < malformed; i++)
            this.#fault(new EventFault('malformed-label', 'not a label'), seq)
          return { seq, bytes: message.length, prepared: this.#prepare(labels, seq) }
        }
        case 'unknown':
          return { seq: event.seq, bytes: message.length, prepared: null }
        case 'info':
          this.#log.info(
            { endpoint: this.name, name: event.name, message: event.message },
            'the endpoint says',
          )
          return 'nothing'
        case 'error':
          this.#log.warn(
            {
              endpoint: this.name,
              error: event.error,
              message: event.message,
              todo: 'see what the labeler says; FEEDGEN_LABELERS and definitions name it',
            },
            'the endpoint refuses',
          )
          return event.error === 'FutureCursor' ? 'wrongCursor' : 'nothing'
      }
    } catch (error) {
      this.#fault(error)
      return 'nothing'
    }
  }

  async #prepare(labels: readonly SignedLabel[], seq: number): Promise<Prepared> {
    const { did, counts } = this.#options
    const good: NewLabel[] = []
    for (const label of labels) {
      counts.labels++
      try {
        await this.#check(label)
        good.push(newLabel(label))
      } catch (error) {
        this.#fault(error, seq)
      }
    }
    return { kind: 'labels', did, labels: good }
  }

  /** @throws EventFault */
  async #check(label: SignedLabel): Promise<void> {
    const { did, labelers } = this.#options
    if (label.src !== did) throw new EventFault('malformed-label', 'a label in the name of another labeler')
    if (Buffer.byteLength(label.val) > valueBytesMax || label.uri.length > uriCharactersMax)
      throw new EventFault('malformed-label', 'a label of something or with something too long')
    if (label.val.includes('\0')) throw new EventFault('malformed-label', 'a label with U+0000 in its value')
    let labeler: Labeler
    try {
      labeler = await labelers.get(did)
      if (!verifyLabel(label, labeler.key)) labeler = await labelers.refresh(did)
    } catch (error) {
      throw new EventFault('unknown-author', (error as Error).message, { cause: error })
    }
    if (!verifyLabel(label, labeler.key))
      throw new EventFault('wrong-signature', 'the labeler did not sign the label')
  }

  #fault(error: unknown, seq?: number): void {
    const fault =
      error instanceof EventFault ? error.fault : error instanceof FrameError ? 'malformed-frame' : 'internal'
    this.#options.counts.fault(fault, { endpoint: this.name, did: this.#options.did, seq }, error)
  }
}

/** @throws EventFault */
function newLabel({ uri, val, neg, cts, exp }: SignedLabel): NewLabel {
  const madeAt = Date.parse(cts)
  const expiresAt = exp === undefined ? null : Date.parse(exp)
  if (Number.isNaN(madeAt) || Number.isNaN(expiresAt))
    throw new EventFault('malformed-label', 'a label with a time that is none')
  return { uri, val, neg: neg === true, madeAt, expiresAt }
}
