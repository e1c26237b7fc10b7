/**
 * Timestamp identifiers: 13 characters that sort by time, the revisions of repositories and the
 * keys of most records. https://atproto.com/specs/tid
 */

const ALPHABET = '234567abcdefghijklmnopqrstuvwxyz'
const SYNTAX = /^[234567abcdefghij][234567abcdefghijklmnopqrstuvwxyz]{12}$/
const TIME_CHARACTERS = 11
const MICROS_MAX = 2 ** 53 - 1

/** Number of distinct clocks: a clock id is below this. */
export const clockIdCount = 1024

/** Whether a text is a TID. */
export function isTid(text: string): boolean {
  return SYNTAX.test(text)
}

/**
 * The TID of a time in microseconds since 1970 and of a clock.
 * @throws RangeError when either is not a whole number in its range (below 2^53, below
 * `clockIdCount`)
 */
export function tidFromMicros(micros: number | bigint, clockId: number): string {
  let time = Number(micros)
  if (!Number.isSafeInteger(time) || time < 0) throw new RangeError(`not a time in microseconds: ${micros}`)
  if (!Number.isInteger(clockId) || clockId < 0 || clockId >= clockIdCount) {
    throw new RangeError(`not the number of a clock: ${clockId}`)
  }
  let text = ''
  for (let i = 0; i < TIME_CHARACTERS; i++) {
    text = ALPHABET.charAt(time % 32) + text
    time = Math.floor(time / 32)
  }
  return text + ALPHABET.charAt(clockId >> 5) + ALPHABET.charAt(clockId & 31)
}

/**
 * The microseconds since 1970 of a TID. Exact up to 2^53; the syntax allows values up to twice
 * that, far from any date.
 * @throws RangeError when the text is not a TID
 */
export function microsOfTid(tid: string): number {
  if (!isTid(tid)) throw new RangeError(`not a TID: ${tid.slice(0, 80)}`)
  let micros = 0
  for (let i = 0; i < TIME_CHARACTERS; i++) micros = micros * 32 + ALPHABET.indexOf(tid.charAt(i))
  return micros
}

/**
 * Makes TIDs of the current time, each greater than the one before, also when the system's clock is
 * turned back.
 */
export class TidClock {
  readonly #clockId: number
  readonly #now: () => number
  #last = 0

  /**
   * @param clockId distinguishes this clock from others at the same moment; random by default
   * @param now the time in milliseconds
   */
  constructor(clockId = Math.floor(Math.random() * clockIdCount), now: () => number = Date.now) {
    this.#clockId = clockId
    this.#now = now
  }

  /**
   * The next TID: greater than every one made before, and greater than `after`.
   * A TID from outside passed as `after` does not push the clock ahead for others.
   * @throws RangeError when `after` is not a TID, or is the last there can be
   */
  next(after?: string): string {
    const micros = Math.max(this.#now() * 1000, this.#last + 1)
    this.#last = micros
    if (after === undefined || microsOfTid(after) < micros) return tidFromMicros(micros, this.#clockId)
    const later = microsOfTid(after) + 1
    if (later > MICROS_MAX) throw new RangeError(`no TID comes after ${after}`)
    return tidFromMicros(later, this.#clockId)
  }
}
