/** What a follower asks of each kind of stream: where to connect, and what a message says. */
import type { IndexEvent } from '../index/writer.ts'

/** A kind of stream at one endpoint. */
export interface Stream {
  /** Under which name the cursor is kept, for ever. */
  readonly name: string
  /**
   * Where to connect so that the stream begins there.
   * @throws when that cannot be known now
   */
  address(from: From, signal: AbortSignal): Promise<Address>
  /** Looks at a message. Never throws: what is wrong with it, it counts and passes over. */
  read(message: Buffer | string, signal: AbortSignal): Reading
  /** Counts a message that is too large even to be received. */
  oversized(reason: string): void
  /** What a server that answers with an HTTP status in the place of a stream means by it. */
  refused?(refusal: Refusal): 'wrongCursor' | undefined
}

/**
 * Where in a stream to begin: behind a cursor, at the oldest event that is kept, or with the next
 * one.
 */
export type From = number | 'oldest' | 'live'

/** Where to connect to. */
export interface Address {
  url: string
  /** Subprotocols that are offered. */
  protocols?: string[]
  /** The host was chosen by strangers: connect to public addresses only. */
  publicOnly?: boolean
}

/** An HTTP answer in the place of a stream. */
export interface Refusal {
  status: number
  /** The beginning of the body. */
  body: string
}

/**
 * What a message gives: something for the line, nothing, or word that the cursor is none of the
 * server's.
 */
export type Reading = Entry | 'nothing' | 'wrongCursor'

/** An event on its way into the index. */
export interface Entry {
  /** The cursor once it is written; without one the cursor stays where it is. */
  readonly seq: number | undefined
  /** What it takes up while it waits. */
  readonly bytes: number
  /** What is to be written, which may still have to be found out; the promise is never rejected. */
  readonly prepared: Prepared | Promise<Prepared>
}

/**
 * What is to be written; null moves the cursor alone, and `passedOver` leaves even that where it
 * is.
 */
export type Prepared = IndexEvent | null | 'passedOver'
