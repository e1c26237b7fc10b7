import { BlockMap, blocksToCarFile, readCar as referenceRead } from '@atproto/repo'
import { describe, expect, test } from 'vitest'
import {
  CarError,
  CarReader,
  carBlock,
  carBlockBytesMax,
  carHeader,
  carHeaderBytesMax,
  readCar,
  writeCar,
} from '#protocol/car.ts'
import { encode } from '#protocol/cbor.ts'
import { type Cid, cidForCbor, cidForRaw, cidToBytes, cidToLink, formatCid } from '#protocol/cid.ts'
import { Link } from '#protocol/link.ts'
import { mutate, seededRandom } from '../support/random.ts'
import { vectorBytes } from '../support/vectors.ts'

const random = seededRandom(7)
const blocks = new Map<Cid, Buffer>()
for (const length of [0, 1, 90, 91, 92, 127, 128, 1000, 16_347, 16_348, 100_000]) {
  const block = encode(random.bytes(length))
  blocks.set(cidForCbor(block), block)
}
const raw = random.bytes(50)
blocks.set(cidForRaw(raw), raw)
const [root] = blocks.keys() as Iterable<Cid> as [Cid]
const file = writeCar(root, blocks)

test('a CAR file is read back, here and by @atproto/repo', async () => {
  expect(readCar(file)).toEqual({ roots: [root], blocks })
  const theirs = await referenceRead(file)
  expect(theirs.roots.map(String)).toEqual([formatCid(root)])
  expect([...theirs.blocks.entries()].length).toBe(blocks.size)
  for (const [cid, block] of blocks)
    expect(block.equals(theirs.blocks.get(cidToLink(cid) as never) as Uint8Array)).toBe(true)
})

test('a CAR file has the same bytes as from @atproto/repo', async () => {
  const theirs = new BlockMap()
  for (const [cid, block] of blocks) theirs.set(cidToLink(cid) as never, new Uint8Array(block))
  const order: [Cid, Buffer][] = []
  for (const { cid } of theirs.entries()) {
    const own = [...blocks].find(([each]) => formatCid(each) === cid.toString())
    order.push(own as [Cid, Buffer])
  }
  expect(writeCar(root, order).equals(await blocksToCarFile(cidToLink(root) as never, theirs))).toBe(true)
})

test('a CAR file written in pieces equals the whole', () => {
  const pieces = [...blocks].map(([cid, block]) => carBlock(cid, block))
  expect(Buffer.concat([carHeader(root), ...pieces]).equals(file)).toBe(true)
})

test('CAR files without roots, without blocks, and with a duplicate block', () => {
  expect(readCar(writeCar(null, []))).toEqual({ roots: [], blocks: new Map() })
  const [first] = blocks as Iterable<[Cid, Buffer]> as [[Cid, Buffer]]
  expect(readCar(writeCar(root, [first, first])).blocks.size).toBe(1)
})

test('takes a view into a larger buffer', () => {
  const whole = Buffer.concat([Buffer.alloc(3), file, Buffer.alloc(3)])
  const view = new Uint8Array(whole.buffer, whole.byteOffset + 3, file.length)
  expect(readCar(view)).toEqual({ roots: [root], blocks })
})

describe('refuses', () => {
  const header = carHeader(root)
  const section = (bytes: Uint8Array) => Buffer.concat([Buffer.from([bytes.length]), bytes])
  const withHeader = (value: unknown) => section(encode(value))

  test.each<[string, Buffer]>([
    ['nothing', Buffer.alloc(0)],
    ['a header cut short', header.subarray(0, -1)],
    ['an empty header', Buffer.from([0])],
    ['a header that is not CBOR', section(Buffer.from('hello'))],
    ['a header that is not a map', withHeader([1])],
    ['version 2', withHeader({ version: 2, roots: [] })],
    ['no roots', withHeader({ version: 1 })],
    ['a root that is text', withHeader({ version: 1, roots: [formatCid(root)] })],
    [
      'a header that is too long',
      Buffer.concat([Buffer.from([0x81, 0x20]), Buffer.alloc(carHeaderBytesMax + 1)]),
    ],
    ['a section cut short', file.subarray(0, -1)],
    ['a section too short for a CID', Buffer.concat([header, section(Buffer.alloc(35))])],
    ['an empty section', Buffer.concat([header, Buffer.from([0])])],
    ['a length cut short', Buffer.concat([header, Buffer.from([0x80])])],
    ['a length not in its shortest form', Buffer.concat([header, Buffer.from([0xa4, 0]), cidToBytes(root)])],
    [
      'a length of 2^35',
      Buffer.concat([header, Buffer.from([0x80, 0x80, 0x80, 0x80, 0x80, 1]), Buffer.alloc(99)]),
    ],
    ['a block that is too long', Buffer.concat([header, carBlock(root, Buffer.alloc(carBlockBytesMax))])],
    ['a CID of another kind', Buffer.concat([header, section(Buffer.alloc(36, 1))])],
    ['a block that its CID does not name', Buffer.concat([header, carBlock(root, raw)])],
  ])('%s', (_, bytes) => {
    expect(() => readCar(bytes)).toThrow(CarError)
  })

  test('unless told not to look, a block that its CID does not name', () => {
    const wrong = Buffer.concat([header, carBlock(root, raw)])
    expect(readCar(wrong, { verify: false }).blocks.get(root)).toEqual(raw)
  })

  test('10,000 mutations, with a CarError, or reads blocks that their CIDs name', () => {
    const small = writeCar(root, [...blocks].slice(0, 5))
    let accepted = 0
    for (let i = 0; i < 10_000; i++) {
      const bytes = mutate(small, random)
      try {
        const { blocks: read } = readCar(bytes)
        for (const [cid, block] of read)
          expect(cid).toBe(cid.charCodeAt(1) === 0x55 ? cidForRaw(block) : cidForCbor(block))
        accepted++
      } catch (error) {
        expect(error).toBeInstanceOf(CarError)
      }
    }
    expect(accepted).toBeGreaterThan(0)
    expect(accepted).toBeLessThan(5000)
  })
})

test('the recorded repository is read whole and written again', async () => {
  const bytes = vectorBytes('recorded/repo.car')
  const { roots, blocks: read } = readCar(bytes)
  expect(roots.length).toBe(1)
  expect(read.has(roots[0] as Cid)).toBe(true)
  expect(read.size).toBe([...(await referenceRead(bytes)).blocks.entries()].length)
  expect(writeCar(roots[0] as Cid, read).equals(bytes)).toBe(true)
})

test('a root is a link in the header', () => {
  expect(
    carHeader(root)
      .subarray(1)
      .equals(encode({ version: 1, roots: [new Link(root)] })),
  ).toBe(true)
})

describe('a file that comes in chunks', () => {
  const read = (chunks: Iterable<Uint8Array>) => {
    const reader = new CarReader()
    const found = [...chunks].flatMap((chunk) => reader.push(chunk))
    reader.end()
    return { roots: reader.roots, found }
  }
  const cut = (bytes: Buffer, size: (at: number) => number) => {
    const chunks: Buffer[] = []
    for (let at = 0; at < bytes.length; at += chunks.at(-1)?.length as number)
      chunks.push(bytes.subarray(at, at + size(at)))
    return chunks
  }

  test.each([1, 2, 41, 1000, 65_536, 1 << 30])('is read the same, cut every %i bytes', (bytes) => {
    const { roots, found } = read(cut(file, () => bytes))
    expect(roots).toEqual([root])
    expect(new Map(found.map(({ cid, block }) => [cid, block]))).toEqual(blocks)
  })

  test('is refused wherever the whole file would be', () => {
    const random = seededRandom(23)
    for (let i = 0; i < 500; i++) {
      const damaged = mutate(file, random)
      const chunks = cut(damaged, () => 1 + random.below(30_000))
      let whole: ReturnType<typeof readCar> | undefined
      try {
        whole = readCar(damaged)
      } catch (error) {
        expect(error).toBeInstanceOf(CarError)
      }
      if (whole === undefined) expect(() => read(chunks)).toThrow(CarError)
      else
        expect(read(chunks).found.map(({ cid }) => cid)).toEqual(
          expect.arrayContaining([...whole.blocks.keys()]),
        )
    }
  })

  test('is buffered for no more than its longest section', () => {
    const reader = new CarReader()
    reader.push(carHeader(root))
    const block = encode(random.bytes(1_000_000))
    const section = carBlock(cidForCbor(block), block)
    const before = process.threadCpuUsage()
    for (let at = 0; at < section.length; at += 100) reader.push(section.subarray(at, at + 100))
    // Putting the pieces together anew for each of them would take minutes.
    expect(process.threadCpuUsage(before).user).toBeLessThan(5_000_000)
    reader.end()
  })
})
