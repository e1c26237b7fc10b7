/** A whole tree made of its sorted entries: to see that a tree is the one its entries make. */
import { type Cid, cidForCbor } from '#protocol/cid.ts'
import { InvalidKeyError, isValidKey, layerOf } from '#protocol/mst/key.ts'
import { type Entry, encodeNode, InvalidNodeError, type Node } from '#protocol/mst/node.ts'

/**
 * The blocks of the tree that holds `entries`, each node after those below it and the root last;
 * the generator returns the root. Takes time in proportion to the entries and keeps one unfinished
 * node for each layer.
 * @param entries in strictly ascending order of their keys
 * @throws InvalidKeyError, InvalidNodeError when the keys do not ascend
 */
export function* buildTree(
  entries: Iterable<{ readonly key: string; readonly value: Cid }>,
): Generator<[cid: Cid, block: Buffer], Cid> {
  /** The node of each layer to which the next key would be added. */
  const open: Node[] = [{ left: null, entries: [] }]
  let previous = ''

  /**
   * Finishes the nodes below `layer` and hangs them, the lower under the higher, at the end of that
   * layer's node.
   */
  function* close(layer: number): Generator<[Cid, Buffer], void> {
    for (let i = 0; i < layer; i++) {
      const node = open[i]!
      if (node.left === null && node.entries.length === 0) continue
      const [cid, block] = seal(node)
      yield [cid, block]
      open[i] = { left: null, entries: [] }
      hang(open[i + 1]!, cid)
    }
  }

  for (const { key, value } of entries) {
    if (!isValidKey(key)) throw new InvalidKeyError(key)
    if (key <= previous) throw new InvalidNodeError(`keys out of order: ${previous}, ${key}`)
    previous = key
    const layer = layerOf(key)
    while (open.length <= layer) open.push({ left: null, entries: [] })
    yield* close(layer)
    open[layer]!.entries.push({ key, value, right: null })
  }
  yield* close(open.length - 1)
  const [root, block] = seal(open.at(-1)!)
  yield [root, block]
  return root
}

function seal(node: Node): [Cid, Buffer] {
  const block = encodeNode(node)
  return [cidForCbor(block), block]
}

function hang(node: Node, child: Cid): void {
  const last: Entry | undefined = node.entries.at(-1)
  if (last === undefined) node.left = child
  else last.right = child
}
