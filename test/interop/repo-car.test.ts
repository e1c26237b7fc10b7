/**
 * A repository of the network, exported by its server: read, checked, built again from its records
 * alone and written out again.
 */
import { MemoryBlockstore, MST, readCarWithRoot } from '@atproto/repo'
import { CID } from 'multiformats/cid'
import { describe, expect, test } from 'vitest'
import { CarError, readCar, writeCar } from '#protocol/car.ts'
import { decode, encode } from '#protocol/cbor.ts'
import { type Cid, cidForCbor, cidToBytes, formatCid } from '#protocol/cid.ts'
import { decodeCommit } from '#protocol/commit.ts'
import { nodesOf } from '#protocol/mst/node.ts'
import { entries, nodes } from '#protocol/mst/walk.ts'
import { buildTree } from '../support/mst/build.ts'
import { vectorBytes } from '../support/vectors.ts'

describe('the recorded repository', () => {
  const open = () => {
    const bytes = vectorBytes('recorded/repo.car')
    const { roots, blocks } = readCar(bytes)
    const root = roots[0] as Cid
    return { bytes, root, blocks, commit: decodeCommit(blocks.get(root) as Uint8Array) }
  }

  test('holds what @atproto/repo finds in it', async () => {
    const { bytes, blocks, commit } = open()
    const car = await readCarWithRoot(bytes)
    expect(blocks.size).toBe(car.blocks.size)
    const tree = MST.load(new MemoryBlockstore(car.blocks), CID.decode(cidToBytes(commit.data)))
    const leaves = (await tree.list()).map(({ key, value }) => [key, value.toString()])
    const found = entries(nodesOf(blocks), commit.data).map(({ key, value }) => [key, formatCid(value)])
    expect([...found]).toEqual(leaves)
    expect(leaves.length).toBeGreaterThan(20)
  })

  test('is refused when a byte of any block is another', () => {
    const { bytes, blocks } = open()
    for (const block of blocks.values()) {
      const changed = Buffer.from(bytes)
      const at = block.byteOffset - bytes.byteOffset + block.length - 1
      changed[at] = changed[at]! ^ 1
      expect(() => readCar(changed)).toThrow(CarError)
    }
  })

  test('is built again from its records, to the same commit and the same file', () => {
    const { bytes, root, blocks, commit } = open()
    const source = nodesOf(blocks)
    // Each record is taken apart and put together again, and named by what came of that.
    const records = entries(source, commit.data)
      .map(({ key, value }) => ({ key, block: encode(decode(blocks.get(value) as Uint8Array)) }))
      .toArray()
    const building = buildTree(records.map(({ key, block }) => ({ key, value: cidForCbor(block) })))
    const rebuilt = new Map<Cid, Uint8Array>()
    let step = building.next()
    for (; !step.done; step = building.next()) rebuilt.set(...step.value)
    expect(step.value).toBe(commit.data)
    expect([...rebuilt.keys()].sort()).toEqual([...nodes(source, commit.data).map(({ cid }) => cid)].sort())

    for (const { block } of records) rebuilt.set(cidForCbor(block), block)
    rebuilt.set(root, encode(decode(blocks.get(root) as Uint8Array)))
    expect(rebuilt.size).toBe(blocks.size)
    const inTheirOrder = [...blocks.keys()].map((cid): [Cid, Uint8Array] => [
      cid,
      rebuilt.get(cid) as Uint8Array,
    ])
    expect(writeCar(root, inTheirOrder).equals(bytes)).toBe(true)
  })
})
