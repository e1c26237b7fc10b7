/**
 * The labels of one labeler, `com.atproto.label.subscribeLabels`: found by its DID document, which
 * names its server and the key it signs with. A label that the labeler did not sign, or that speaks
 * in another's name, is passed over.
 */
import { type Logger, logger } from '#platform/log.ts'
import { pause, retryDelay } from '#platform/retry.ts'
import { type Cid, InvalidCidError, parseCid } from '#protocol/cid.ts'
import { FrameError } from '#protocol/frame.ts'
import { decodeLabelsFrame, type SignedLabel, verifyLabel } from '#protocol/labels.ts'
import type { NewLabel } from '../index/writer.ts'
import { type Counts, EventFault } from './counts.ts'
import { type Labeler, type Labelers, UnreachableLabelerError } from './labelers.ts'
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

  read(message: Buffer | string, signal: AbortSignal): Reading {
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
          return { seq, bytes: message.length, prepared: this.#prepare(labels, seq, signal) }
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

  /**
   * Labels that the labeler signed. While its key cannot be had, nothing can be said of them, and
   * they wait.
   */
  async #prepare(labels: readonly SignedLabel[], seq: number, signal: AbortSignal): Promise<Prepared> {
    const { did, counts } = this.#options
    const good: NewLabel[] = []
    for (const label of labels) {
      counts.labels++
      try {
        await this.#check(label, signal)
        good.push(newLabel(label))
      } catch (error) {
        // The cursor stays before what was not looked at.
        if (signal.aborted) return 'passedOver'
        this.#fault(error, seq)
      }
    }
    return { kind: 'labels', did, labels: good }
  }

  /** @throws EventFault */
  async #check(label: SignedLabel, signal: AbortSignal): Promise<void> {
    const { did } = this.#options
    if (label.src !== did) throw new EventFault('malformed-label', 'a label in the name of another labeler')
    if (Buffer.byteLength(label.val) > valueBytesMax || label.uri.length > uriCharactersMax)
      throw new EventFault('malformed-label', 'a label of something or with something too long')
    if (label.val.includes('\0')) throw new EventFault('malformed-label', 'a label with U+0000 in its value')
    const { key } = await this.#patiently(async (labelers) => {
      const labeler = await labelers.get(did)
      return verifyLabel(label, labeler.key) ? labeler : labelers.refresh(did)
    }, signal)
    if (!verifyLabel(label, key))
      throw new EventFault('wrong-signature', 'the labeler did not sign the label')
  }

  /** Asks for the labeler until there is an answer. */
  async #patiently(ask: (labelers: Labelers) => Promise<Labeler>, signal: AbortSignal): Promise<Labeler> {
    const { did, labelers } = this.#options
    for (let tries = 1; ; tries++) {
      try {
        return await ask(labelers)
      } catch (error) {
        if (!(error instanceof UnreachableLabelerError) || signal.aborted)
          throw new EventFault('unknown-author', (error as Error).message, { cause: error })
        this.#log.warn(
          {
            did,
            err: error,
            tries,
            todo: 'see whether the DID document can be had: from the directory of PDS_DID_PLC_URL, or from the host of a did:web; the labels wait',
          },
          'waiting for the key of a labeler',
        )
        await pause(retryDelay(tries), signal)
      }
    }
  }

  #fault(error: unknown, seq?: number): void {
    const fault =
      error instanceof EventFault ? error.fault : error instanceof FrameError ? 'malformed-frame' : 'internal'
    this.#options.counts.fault(fault, { endpoint: this.name, did: this.#options.did, seq }, error)
  }
}

/** @throws EventFault */
function newLabel({ uri, cid, val, neg, cts, exp }: SignedLabel): NewLabel {
  const madeAt = Date.parse(cts)
  const expiresAt = exp === undefined ? null : Date.parse(exp)
  if (Number.isNaN(madeAt) || Number.isNaN(expiresAt))
    throw new EventFault('malformed-label', 'a label with a time that is none')
  return { uri, cid: versionOf(cid), val, neg: neg === true, madeAt, expiresAt }
}

/** @throws EventFault */
function versionOf(cid: string | undefined): Cid | null {
  try {
    return cid === undefined ? null : parseCid(cid)
  } catch (error) {
    if (!(error instanceof InvalidCidError)) throw error
    throw new EventFault('malformed-label', `a label of a version that cannot be: ${error.message}`, {
      cause: error,
    })
  }
}
