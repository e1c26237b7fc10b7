/**
 * Checks that an event is what its author signed: the blocks against their CIDs, the commit against
 * the event, the ops against the tree before and after. The signature is checked last, by
 * {@link isSigned}, with a key that somebody else found.
 * https://atproto.com/specs/sync#commit-validation
 */
import { MINUTE_MS } from '#platform/time.ts'
import { type Car, CarError, readCar } from '#protocol/car.ts'
import type { Cid } from '#protocol/cid.ts'
import { type Commit, CommitError, decodeCommit, verifyCommit } from '#protocol/commit.ts'
import type { CommitEvent, SyncEvent } from '#protocol/frame.ts'
import type { PublicKey } from '#protocol/keys.ts'
import { InvalidKeyError } from '#protocol/mst/key.ts'
import { InvalidNodeError, MissingNodeError, nodesOf } from '#protocol/mst/node.ts'
import { OpError } from '#protocol/mst/ops.ts'
import { getValue, invertOps } from '#protocol/mst/tree.ts'
import { isTid, microsOfTid } from '#protocol/tid.ts'
import { EventFault } from './counts.ts'

/** A commit that agrees with its event; whether it is signed is still to be seen. */
export interface OpenedEvent {
  commit: Commit
  blocks: Map<Cid, Uint8Array>
}

/**
 * How far ahead of our clock a revision may be. One from the far future would hide everything that
 * follows it.
 */
const revAheadMsMax = 5 * MINUTE_MS

/**
 * Opens a commit event and checks all of it but the signature; of one whose sender is `trusted`,
 * only what is needed to read it.
 * @throws EventFault
 */
export function openCommit(event: CommitEvent, { trusted = false } = {}): OpenedEvent {
  const { blocks } = openBlocks(event.blocks, { verify: !trusted })
  const commit = openCommitBlock(blocks, event.commit, event.repo, event.rev)
  for (const { cid, path } of event.ops) {
    if (cid !== null && !blocks.has(cid))
      throw new EventFault('missing-block', `no block for the record ${path.slice(0, 200)}`)
  }
  if (!trusted) checkOps(event, commit, blocks)
  return { commit, blocks }
}

/**
 * Opens a sync event and checks all of it but the signature.
 * @throws EventFault
 */
export function openSync(event: Pick<SyncEvent, 'did' | 'rev' | 'blocks'>): OpenedEvent {
  const { roots, blocks } = openBlocks(event.blocks)
  const [root] = roots
  if (root === undefined) throw new EventFault('malformed-blocks', 'no root in the blocks of a sync event')
  return { commit: openCommitBlock(blocks, root, event.did, event.rev), blocks }
}

/** Whether the owner of the key signed the commit. */
export function isSigned({ commit }: OpenedEvent, key: PublicKey): boolean {
  return verifyCommit(commit, key)
}

function openBlocks(bytes: Uint8Array, options?: { verify: boolean }): Car {
  try {
    return readCar(bytes, options)
  } catch (error) {
    throw asFault(error, 'malformed-blocks', [CarError])
  }
}

function openCommitBlock(blocks: Map<Cid, Uint8Array>, cid: Cid, did: string, rev: string): Commit {
  const block = blocks.get(cid)
  if (block === undefined) throw new EventFault('missing-block', 'no block for the commit')
  let commit: Commit
  try {
    commit = decodeCommit(block)
  } catch (error) {
    throw asFault(error, 'wrong-commit', [CommitError])
  }
  if (commit.did !== did || commit.rev !== rev) {
    throw new EventFault('wrong-commit', 'the commit is of another repository or revision than its event')
  }
  checkRev(rev)
  return commit
}

/**
 * Checks that a revision is one, and not from the future.
 * @throws EventFault
 */
export function checkRev(rev: string): void {
  if (!isTid(rev)) throw new EventFault('wrong-rev', 'a revision that is no TID')
  if (microsOfTid(rev) / 1000 > Date.now() + revAheadMsMax)
    throw new EventFault('wrong-rev', `the revision ${rev} is from the future`)
}

/**
 * Checks that the ops, which nobody signed, are what made the signed tree: undone, they must give
 * the tree before. Senders that predate `prevData` and `prev` only let each op be looked up in the
 * tree after.
 */
function checkOps({ ops, prevData }: CommitEvent, { data }: Commit, blocks: Map<Cid, Uint8Array>): void {
  const source = nodesOf(blocks)
  const invertible =
    prevData !== undefined && ops.every(({ action, prev }) => (action === 'create') === (prev === undefined))
  try {
    if (!invertible) {
      const wrong = ops.find(({ path, cid }) => getValue(source, data, path) !== cid)
      if (wrong)
        throw new EventFault(
          'wrong-ops',
          `the tree does not hold what the commit says of ${wrong.path.slice(0, 200)}`,
        )
    } else if (
      invertOps(
        source,
        data,
        ops.map(({ path, cid, prev }) => ({ key: path, value: cid, prev: prev ?? null })),
      ) !== prevData
    ) {
      throw new EventFault('wrong-ops', 'without the ops the tree is another than the one before')
    }
  } catch (error) {
    throw asFault(error, 'wrong-ops', [OpError, MissingNodeError, InvalidNodeError, InvalidKeyError])
  }
}

/**
 * An error of one of the kinds, which outside bytes cause, as a fault of the event; any other as it
 * is.
 */
function asFault(
  error: unknown,
  fault: EventFault['fault'],
  kinds: (new (...args: never[]) => Error)[],
): unknown {
  return kinds.some((kind) => error instanceof kind)
    ? new EventFault(fault, (error as Error).message, { cause: error })
    : error
}
