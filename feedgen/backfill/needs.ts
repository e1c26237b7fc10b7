/**
 * What definitions speak of that the firehose may have brought before we listened: whose posts,
 * whose follows, which lists, which labelers.
 */
import type { Definition } from '../algorithm/definition.ts'

export interface Needs {
  /** DIDs of accounts whose recent posts are needed. */
  readonly authors: Set<string>
  /** DIDs of accounts whose follows are. */
  readonly graphs: Set<string>
  /** DIDs of accounts of which it is needed who follows them back. */
  readonly mutualsOf: Set<string>
  /** DIDs of accounts whose followers are. */
  readonly followersOf: Set<string>
  /** URIs of lists and starter packs. */
  readonly lists: Set<string>
  readonly starterPacks: Set<string>
  /** URIs of posts. */
  readonly posts: Set<string>
  /** DIDs. */
  readonly labelers: Set<string>
}

/** What a definition needs. */
export function needsOf(definition: Definition): Needs {
  const needs: Needs = {
    authors: new Set(),
    graphs: new Set(),
    mutualsOf: new Set(),
    followersOf: new Set(),
    lists: new Set(),
    starterPacks: new Set(),
    posts: new Set(),
    labelers: new Set(),
  }
  visit(definition.sources, needs)
  visit(definition.where, needs)
  visit(definition.arrange, needs)
  const { pin, manualAdd = [] } = definition.place ?? {}
  for (const uri of pin === undefined ? manualAdd : [pin, ...manualAdd]) needs.posts.add(uri)
  return needs
}

/** Goes through parts within parts: sources and filters say what they are by their `kind`. */
function visit(part: unknown, needs: Needs): void {
  if (Array.isArray(part)) for (const one of part) visit(one, needs)
  if (typeof part !== 'object' || part === null) return
  const { kind, dids, uri, uris, of, by, edge } = part as { [key: string]: unknown }
  switch (kind) {
    case 'actors':
      addAll(needs.authors, dids)
      break
    case 'list':
      addAll(needs.lists, [uri])
      break
    case 'starterPack':
      addAll(needs.starterPacks, [uri])
      break
    case 'graph':
      if (edge === 'mutuals') addAll(needs.mutualsOf, [of])
      else addAll(edge === 'followers' ? needs.followersOf : needs.graphs, [of])
      break
    case 'posts':
      addAll(needs.posts, uris)
      break
    case 'labels':
      addAll(needs.labelers, [by])
      break
    case 'label':
      addAll(needs.labelers, by)
      break
  }
  for (const inner of Object.values(part)) visit(inner, needs)
}

function addAll(set: Set<string>, texts: unknown): void {
  if (Array.isArray(texts)) for (const text of texts) if (typeof text === 'string') set.add(text)
}
