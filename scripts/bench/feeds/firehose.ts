/**
 * A mixed firehose for the benchmark: signed and proved commits, in the network's proportions of
 * posts, likes, reposts and follows.
 */
import { encodeFrame } from '#protocol/frame.ts'
import { Author } from '../../../test/support/author.ts'

export interface Firehose {
  authors: Author[]
  /** The frames of `subscribeRepos`, in order. */
  frames: Buffer[]
  posts: number
}

/** In each round one post, seven likes, a repost and two follows. */
const round = ['post', 'like', 'like', 'follow', 'like', 'like', 'repost', 'like', 'like', 'follow', 'like']
const authorsCount = 300
const words = 'light coral tide salt reef wind paper garden train bread music film code river stone'.split(
  ' ',
)

/** So many events. */
export function makeFirehose(count: number): Firehose {
  const authors = Array.from({ length: authorsCount }, () => new Author())
  const uris: string[] = []
  const pick = <T>(values: readonly T[]): T => values[Math.floor(Math.random() * values.length)] as T
  const make = (kind: string, author: Author) => {
    const recent = uris[Math.floor(uris.length * (1 - Math.random() ** 3))] ?? uris.at(-1)
    if (kind === 'like' && recent) return author.like(recent)
    if (kind === 'repost' && recent) return author.repost(recent)
    if (kind === 'follow') return author.follow(pick(authors).did)
    const text = Array.from({ length: 12 }, () => pick(words)).join(' ')
    const post = author.post(`${text} topic${Math.floor(Math.random() * 5000)}`, { langs: ['en'] })
    uris.push(post.uri)
    return post
  }
  const frames = Array.from({ length: count }, (_, i) => {
    const { event } = make(round[i % round.length] as string, pick(authors))
    return encodeFrame({ ...event, seq: i + 1 })
  })
  return { authors, frames, posts: uris.length }
}
