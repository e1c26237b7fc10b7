import { readdirSync } from 'node:fs'
import { expect, it, onTestFinished } from 'vitest'
import { CarReader, carBlock, carHeader } from '#protocol/car.ts'
import { encode } from '#protocol/cbor.ts'
import { CID_BYTES, type Cid, cidForCbor } from '#protocol/cid.ts'
import { BlockSpool } from '../../../pds/repo/spool.ts'
import { temporaryFolder } from '../../support/processes.ts'
import { seededRandom } from '../../support/random.ts'
import { anyDisk } from './support.ts'

/** More than one table of the spool holds, so that two go to the disk. */
const BLOCKS = 400_000

it('finds every block of an archive that is larger than its table in memory, and no other', async () => {
  const folder = temporaryFolder()
  onTestFinished(() => folder[Symbol.dispose]())
  await using spool = await BlockSpool.open(folder.path, anyDisk())
  // Nothing of it is left when the process ends, however it ends.
  expect(readdirSync(folder.path)).toEqual([])

  const random = seededRandom(3)
  const sample = new Map<Cid, Buffer>()
  const reader = new CarReader()
  let chunk = [carHeader(null)]
  for (let i = 0; i < BLOCKS; i++) {
    // Every so often one that covers several pages of the file.
    const block = encode({ i, text: i % 5000 === 0 ? 'long '.repeat(20_000) : '' })
    const cid = cidForCbor(block)
    if (i % 5000 === 0 || random.below(1000) === 0) sample.set(cid, block)
    chunk.push(carBlock(cid, block))
    if (chunk.length < 2000 && i < BLOCKS - 1) continue
    const bytes = Buffer.concat(chunk)
    chunk = []
    for (const { cid, block } of reader.push(bytes)) await spool.add(cid, block)
  }
  reader.end()
  await spool.finish()
  // What comes again, whichever table it is in, is not written again.
  const { bytes } = spool
  for (const [cid, block] of sample) await spool.add(cid, block)
  expect(spool.bytes).toBe(bytes)
  expect(sample.size).toBeGreaterThan(400)
  for (const [cid, block] of sample) expect(spool.get(cid)?.equals(block)).toBe(true)
  for (let i = 0; i < 100; i++) expect(spool.get(cidForCbor(encode({ other: i })))).toBeUndefined()
})

it('writes a block that comes many times once', async () => {
  const folder = temporaryFolder()
  onTestFinished(() => folder[Symbol.dispose]())
  await using spool = await BlockSpool.open(folder.path, anyDisk())
  const blocks = ['large', 'small'].map((name) =>
    encode({ text: name.repeat(name === 'large' ? 200_000 : 1) }),
  )
  for (let i = 0; i < 1000; i++) for (const block of blocks) await spool.add(cidForCbor(block), block)
  await spool.finish()
  expect(spool.bytes).toBe(blocks.reduce((sum, block) => sum + CID_BYTES + block.length, 0))
  for (const block of blocks) expect(spool.get(cidForCbor(block))?.equals(block)).toBe(true)
})
