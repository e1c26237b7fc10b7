/**
 * Views of an account's own records that the AppView has not indexed yet: the few `app.bsky` shapes
 * that read-after-write patches into responses. Values are plain JSON, as sent.
 */
import { format } from 'node:util'
import { AtUri, INVALID_HANDLE } from '@atproto/syntax'
import type { Account } from '../store/accounts.ts'
import type { AppView } from './app-view.ts'

export type Json = Record<string, unknown>

/** A record of the account that the AppView may not know yet. */
export interface LocalRecord {
  readonly uri: string
  readonly cid: string
  /** When it was written: ISO 8601. */
  readonly indexedAt: string
  readonly record: Json
}

export interface PostView extends Json {
  readonly uri: string
  readonly author: { readonly did: string } & Json
  readonly record: Json
  readonly indexedAt: string
}

/**
 * Where images of the AppView lie; `%s` for size, DID and CID. Without a pattern they are this
 * server's own.
 */
export interface ImageUrls {
  readonly pattern: string | undefined
  readonly hostname: string
}

type ImageSize = 'avatar' | 'banner' | 'feed_thumbnail' | 'feed_fullsize'

/** The URL of an image in a record; undefined when there is none. */
export function imageUrl(
  { pattern, hostname }: ImageUrls,
  size: ImageSize,
  did: string,
  blob: unknown,
): string | undefined {
  if (!blob) return undefined
  // A blob of old says its CID in another place.
  const { ref, cid: old } = blob as { ref?: { $link: string }; cid?: string }
  const cid = ref?.$link ?? old
  return pattern === undefined
    ? `https://${hostname}/xrpc/com.atproto.sync.getBlob?did=${did}&cid=${cid}`
    : format(pattern, size, did, cid)
}

export class LocalView {
  readonly #account: Account
  readonly #profile: Json | undefined
  readonly #appView: AppView
  readonly #images: ImageUrls

  /** @param profile the account's profile record, if it has one */
  constructor(account: Account, profile: Json | undefined, appView: AppView, images: ImageUrls) {
    this.#account = account
    this.#profile = profile
    this.#appView = appView
    this.#images = images
  }

  /** A profile view with what the record says now. */
  profileBasic<V extends Json>(view: V, { displayName, avatar }: Json): V {
    return { ...view, displayName, avatar: this.#image('avatar', avatar) }
  }

  /** The same for the detailed view. */
  profileDetailed(view: Json, record: Json): Json {
    return {
      ...this.profileBasic(view, record),
      description: record.description,
      banner: this.#image('banner', record.banner),
    }
  }

  /** A post of the account. It cannot have likes, reposts or replies yet. */
  async post({ uri, cid, indexedAt, record }: LocalRecord): Promise<PostView> {
    const { did, handle } = this.#account
    return {
      uri,
      cid,
      likeCount: 0,
      replyCount: 0,
      repostCount: 0,
      quoteCount: 0,
      author: this.profileBasic({ did, handle: handle ?? INVALID_HANDLE }, this.#profile ?? {}),
      record,
      embed: record.embed && (await this.#embed(record.embed as Json)),
      indexedAt,
    }
  }

  async #embed(embed: Json): Promise<Json | undefined> {
    switch (embed.$type) {
      case 'app.bsky.embed.record':
        return this.#recordEmbed(embed)
      case 'app.bsky.embed.recordWithMedia': {
        const media = this.#media(embed.media as Json)
        return (
          media && {
            $type: 'app.bsky.embed.recordWithMedia#view',
            record: await this.#recordEmbed(embed.record as Json),
            media,
          }
        )
      }
      default:
        return this.#media(embed)
    }
  }

  #media(embed: Json): Json | undefined {
    switch (embed.$type) {
      case 'app.bsky.embed.images':
        return {
          $type: 'app.bsky.embed.images#view',
          images: (embed.images as Json[]).map(({ image, alt, aspectRatio }) => ({
            thumb: this.#image('feed_thumbnail', image),
            fullsize: this.#image('feed_fullsize', image),
            aspectRatio,
            alt,
          })),
        }
      case 'app.bsky.embed.external': {
        const { uri, title, description, thumb } = embed.external as Json
        return {
          $type: 'app.bsky.embed.external#view',
          external: { uri, title, description, thumb: this.#image('feed_thumbnail', thumb) },
        }
      }
      default:
        return undefined
    }
  }

  async #recordEmbed(embed: Json): Promise<Json> {
    const { uri } = embed.record as { uri: string }
    const record = (await this.#quoted(uri)) ?? {
      $type: 'app.bsky.embed.record#viewNotFound',
      uri,
      notFound: true,
    }
    return { $type: 'app.bsky.embed.record#view', record }
  }

  /** What the AppView says of a record that a post quotes. */
  async #quoted(uri: string): Promise<Json | undefined> {
    const ask = (nsid: string, params: Record<string, string | string[]>) =>
      this.#appView.query(nsid, params, this.#account) as Promise<Json>
    switch (new AtUri(uri).collection) {
      case 'app.bsky.feed.post': {
        const [post] = (await ask('app.bsky.feed.getPosts', { uris: [uri] })).posts as (Json | undefined)[]
        if (post === undefined) return undefined
        const { cid, author, record: value, labels, embed, indexedAt } = post
        return {
          $type: 'app.bsky.embed.record#viewRecord',
          uri: post.uri,
          cid,
          author,
          value,
          labels,
          embeds: embed === undefined ? undefined : [embed],
          indexedAt,
        }
      }
      case 'app.bsky.feed.generator': {
        const { view } = await ask('app.bsky.feed.getFeedGenerator', { feed: uri })
        return { ...(view as Json), $type: 'app.bsky.feed.defs#generatorView' }
      }
      case 'app.bsky.graph.list': {
        const { list } = await ask('app.bsky.graph.getList', { list: uri })
        return { ...(list as Json), $type: 'app.bsky.graph.defs#listView' }
      }
      default:
        return undefined
    }
  }

  #image(size: ImageSize, blob: unknown): string | undefined {
    return imageUrl(this.#images, size, this.#account.did, blob)
  }
}
