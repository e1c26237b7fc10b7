/** The tree against commits of the network: the recorded firehose and a recorded repository. */
import { describe, expect, test } from 'vitest'
import { readCar } from '#protocol/car.ts'
import type { Cid } from '#protocol/cid.ts'
import { decodeCommit } from '#protocol/commit.ts'
import { decodeFrame } from '#protocol/frame.ts'
import { decodeNode, encodeNode, MissingNodeError, nodesOf } from '#protocol/mst/node.ts'
import { type Op, OpError } from '#protocol/mst/ops.ts'
import { invertOps } from '#protocol/mst/tree.ts'
import { entries, nodes } from '#protocol/mst/walk.ts'
import { buildTree } from '../support/mst/build.ts'
import { recordedFrames } from '../support/recorded.ts'
import { vectorBytes } from '../support/vectors.ts'

/** The recorded commits: their blocks, the roots after and before, their ops. */
function recordedCommits(): { blocks: Map<Cid, Uint8Array>; root: Cid; prevData: Cid; ops: Op[] }[] {
  return recordedFrames()
    .map((frame) => decodeFrame(frame))
    .filter((event) => event.kind === 'commit')
    .map((event) => {
      const { blocks } = readCar(event.blocks)
      const { data } = decodeCommit(blocks.get(event.commit) as Uint8Array)
      const ops = event.ops.map(({ path, cid, prev }) => ({ key: path, value: cid, prev: prev ?? null }))
      return { blocks, root: data, prevData: event.prevData as Cid, ops }
    })
}

describe('recorded', () => {
  test('every commit of the firehose inverts to the root it names', () => {
    const commits = recordedCommits()
    expect(commits.length).toBe(148)
    for (const { blocks, root, prevData, ops } of commits) {
      expect(invertOps(nodesOf(blocks), root, ops)).toBe(prevData)
    }
  })

  test('no commit inverts when an op names another record, or when the root is withheld', () => {
    const commits = recordedCommits()
    for (const { blocks, root, prevData, ops } of commits) {
      const lies = ops.map((op) =>
        op.value === null ? { ...op, value: root, prev: null } : { ...op, value: root },
      )
      expect(() => invertOps(nodesOf(blocks), root, lies)).toThrow(OpError)
      const rest = new Map(blocks)
      rest.delete(root)
      expect(() => invertOps(nodesOf(rest), root, ops)).toThrow(MissingNodeError)
      expect(root).not.toBe(prevData)
    }
  })

  test('a repository is rebuilt from its records to the same blocks', () => {
    const { roots, blocks } = readCar(vectorBytes('recorded/repo.car'))
    const { data } = decodeCommit(blocks.get(roots[0] as Cid) as Uint8Array)
    const source = nodesOf(blocks)
    const rebuilt = new Map(buildTree(entries(source, data)))
    expect(rebuilt.has(data)).toBe(true)
    const walked = nodes(source, data).toArray()
    expect(walked.length).toBe(rebuilt.size)
    for (const { cid } of walked) {
      const block = blocks.get(cid) as Uint8Array
      expect(rebuilt.get(cid)).toEqual(Buffer.from(block))
      expect(encodeNode(decodeNode(block))).toEqual(Buffer.from(block))
    }
  })
})
