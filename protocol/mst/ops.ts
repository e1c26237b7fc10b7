/** Changes to the keys of a tree, before they meet one. */
import type { Cid } from '../cid.ts'
import { InvalidKeyError, isValidKey } from './key.ts'

/**
 * A change of one key: `prev` is null for a create, `value` is null for a delete, an update has
 * both.
 */
export interface Op {
  key: string
  value: Cid | null
  prev: Cid | null
}

/** An op that is not true of the tree. */
export class OpError extends Error {
  override name = 'OpError'
  readonly op: Op
  constructor(op: Op, reason: string) {
    super(`${reason}: ${op.key}`)
    this.op = op
  }
}

/**
 * What `ops` do, as the firehose wants it: one op for each key, sorted by key, and none for a key
 * that ends as it began.
 * @throws OpError when an op's `prev` is not the `value` of the op before it on the same key,
 * InvalidKeyError
 */
export function netOps(ops: readonly Op[]): Op[] {
  return foldOps(ops).filter(({ prev, value }) => prev !== value)
}

/**
 * As `netOps`, but a key that ends as it began keeps an op, whose `prev` and `value` are the same
 * and may be null.
 */
export function foldOps(ops: readonly Op[]): Op[] {
  const byKey = new Map<string, Op>()
  for (const op of ops) {
    if (!isValidKey(op.key)) throw new InvalidKeyError(op.key)
    if (op.prev === null && op.value === null) throw new OpError(op, 'neither creates, updates nor deletes')
    const before = byKey.get(op.key)
    if (before !== undefined && before.value !== op.prev)
      throw new OpError(op, 'does not follow the op before it')
    byKey.set(op.key, before === undefined ? op : { key: op.key, value: op.value, prev: before.prev })
  }
  return [...byKey.values()].sort((a, b) => (a.key < b.key ? -1 : 1))
}
