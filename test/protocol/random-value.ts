import type { CborValue } from '#protocol/cbor.ts'
import { cidForCbor, cidForRaw, cidToLink } from '#protocol/cid.ts'
import type { Random } from '../support/random.ts'

const WORDS = [
  '',
  'a',
  'text',
  '$type',
  'app.bsky.feed.post',
  '0',
  '10',
  '9',
  'é',
  'ñandú',
  '☎',
  '😀',
  '\uffff',
  '"',
  '\\',
  '\n',
]
const LENGTHS = [0, 1, 2, 7, 8, 9, 22, 23, 24, 25, 31, 32, 33, 60, 255, 256, 300]
const EDGES = [0, 23, 24, 255, 256, 65_535, 65_536, 2 ** 32 - 1, 2 ** 32, Number.MAX_SAFE_INTEGER]

/** A value of the data model, with a liking for the edges of its encoding. */
export function randomValue(random: Random, depth = 0): CborValue {
  switch (random.below(depth < 5 ? 10 : 7)) {
    case 0:
      return random.pick([null, true, false])
    case 1:
      return random.pick([1, -1]) * random.pick(EDGES)
    case 2:
      return random.below(2 ** random.below(50)) - random.below(1000)
    case 3:
    case 4:
      return randomText(random)
    case 5:
      return new Uint8Array(random.bytes(random.pick(LENGTHS)))
    case 6: {
      const bytes = random.bytes(8)
      return cidToLink(random.below(2) === 0 ? cidForCbor(bytes) : cidForRaw(bytes))
    }
    case 7:
      return Array.from({ length: random.pick([0, 1, 2, 5, 30]) >> depth }, () =>
        randomValue(random, depth + 1),
      )
    default: {
      const map: { [key: string]: CborValue } = {}
      for (let i = random.pick([0, 1, 3, 8, 30]) >> Math.max(0, depth - 1); i > 0; i--) {
        map[randomText(random)] = randomValue(random, depth + 1)
      }
      return map
    }
  }
}

function randomText(random: Random): string {
  if (random.below(8) === 0) {
    return random.pick(['a', 'é', '☎', '😀', '\u0000', '"']).repeat(random.pick(LENGTHS))
  }
  return Array.from({ length: random.below(4) }, () => random.pick(WORDS)).join('')
}
