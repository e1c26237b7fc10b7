/**
 * Read-after-write: views of an AppView that is behind, with the caller's own writes in them, as
 * `@atproto/pds` shows them.
 */
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { logger } from '#platform/log.ts'
import { type Ask, ask, type Side, type Sides, startSides } from '../../support/sides.ts'

let sides: Sides
/** For each side the revision that its AppView has seen: the later writes are new to it. */
const seen = new Map<Side, string>()

const POSTS = 'app.bsky.feed.post'
const SOMEBODY = 'did:plc:6fcm7ff3wkzrsnh3gjbncv2f'
const CID = 'bafyreihnkxh4q4bsbsqp6t3kmbsnz2a5hz2a7kzbwxgtaqphlrvmcqsegq'
const FOREIGN_POST = `at://${SOMEBODY}/${POSTS}/3jzfcijpj2z2a`
const createdAt = '2024-01-01T00:00:00.000Z'
const foreign = { uri: FOREIGN_POST, cid: CID }
/** Keys of the new posts. */
const KEYS = {
  plain: '3jzfcijpj2z2b',
  reply: '3jzfcijpj2z2c',
  nested: '3jzfcijpj2z2d',
  quote: '3jzfcijpj2z2e',
}

const postUri = ({ user }: Side, key: keyof typeof KEYS) => `at://${user.did}/${POSTS}/${KEYS[key]}`

beforeAll(async () => {
  sides = await startSides()
  await Promise.all([sides.ours, sides.theirs].map(write))
})
afterAll(() => sides?.[Symbol.asyncDispose]())
beforeEach(() => sides.reset())

/** What both accounts write: an old post, and then what the AppView has not seen. */
async function write(side: Side): Promise<void> {
  const { agent, did } = side.user
  const create = (rkey: string, record: object, collection = POSTS) =>
    agent.com.atproto.repo.createRecord({
      repo: did,
      collection,
      rkey,
      record: { $type: collection, createdAt, ...record },
    })
  await create('3jzfcijpj2z2a', { text: 'old' })
  seen.set(side, (await agent.com.atproto.sync.getLatestCommit({ did })).data.rev)

  const image = (await agent.uploadBlob(PNG, { encoding: 'image/png' })).data.blob
  const profile = { displayName: 'New name', description: 'new', avatar: image, banner: image }
  await create('self', profile, 'app.bsky.actor.profile')
  await create(KEYS.plain, { text: 'plain' })
  const reply = { root: foreign, parent: foreign }
  const { data } = await create(KEYS.reply, { text: 'reply', reply })
  await create(KEYS.nested, {
    text: 'nested',
    reply: { root: foreign, parent: { uri: data.uri, cid: data.cid } },
  })
  const images = {
    $type: 'app.bsky.embed.images',
    images: [{ image, alt: 'dot', aspectRatio: { width: 1, height: 2 } }],
  }
  await create('3jzfcijpj2z2f', { text: 'images', embed: images })
  const external = { uri: 'https://example.com', title: 'title', description: 'words', thumb: image }
  await create('3jzfcijpj2z2g', { text: 'link', embed: { $type: 'app.bsky.embed.external', external } })
  const record = { $type: 'app.bsky.embed.record', record: foreign }
  await create(KEYS.quote, { text: 'quote', embed: record })
  const both = { $type: 'app.bsky.embed.recordWithMedia', record, media: images }
  await create('3jzfcijpj2z2h', { text: 'quote with image', embed: both })
  const list = { uri: `at://${SOMEBODY}/app.bsky.graph.list/a`, cid: CID }
  await create('3jzfcijpj2z2i', { text: 'list', embed: { ...record, record: list } })
}

const PNG = Buffer.from(
  '89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000a4944415478da63000100000500010d0a2db40000000049454e44ae426082',
  'hex',
)

/**
 * Asks both for a view, and expects them to agree on everything but the times and revisions that
 * are their own.
 */
async function view(path: string | ((side: Side) => string), more: Partial<Ask> = {}) {
  const asked = async (side: Side) => {
    const answer = await ask(side, { path: `/xrpc/${typeof path === 'string' ? path : path(side)}`, ...more })
    const { 'atproto-repo-rev': rev, ...headers } = answer.headers
    return {
      status: answer.status,
      headers: { ...headers, rev: rev === seen.get(side) ? 'seen' : rev },
      json: JSON.parse(timeless(answer.body)),
      reached: answer.reached.map(questionOf),
    }
  }
  const [our, their] = await Promise.all([asked(sides.ours), asked(sides.theirs)])
  expect(inOneOrder(our)).toEqual(inOneOrder(their))
  return our
}

/** What is asked of the services side by side arrives in any order. */
function inOneOrder<Answer extends { reached: { path: string }[] }>(answer: Answer): Answer {
  return { ...answer, reached: answer.reached.toSorted((a, b) => a.path.localeCompare(b.path)) }
}

function timeless(body: string): string {
  return body
    .replace(/"indexedAt":"(?!2[01]24)[^"]+"/g, '"indexedAt":"NOW"')
    .replace(/bafyrei[a-z2-7]{52}/g, (cid) => (cid === CID ? 'FOREIGN' : 'CID'))
}

/** What was asked of the services, without a parameter that says what it would be without it. */
function questionOf(reached: string): { path: string; token: unknown } {
  const { path, token } = JSON.parse(reached)
  return { path: path.replace('&limit=50', ''), token }
}

const profileView = (did: string, more: object = {}) => ({
  did,
  handle: 'name.example.com',
  displayName: 'Old name',
  ...more,
})
const postView = (did: string, key: string, more: object = {}) => ({
  uri: `at://${did}/${POSTS}/${key}`,
  cid: CID,
  author: profileView(did),
  record: { $type: POSTS, text: 'seen', createdAt },
  indexedAt: createdAt,
  ...more,
})

/** An answer of the AppView that is as far as `seen`. */
function behind(nsid: string, body: (side: Side) => object, headers: Record<string, string> = {}): void {
  sides.answerWith(nsid, (side) => ({
    headers: { 'atproto-repo-rev': seen.get(side) as string, ...headers },
    body: body(side),
  }))
}

/** What it says of the records that the new posts quote. */
function knowQuoted(): void {
  sides.answerWith('app.bsky.feed.getPosts', () => ({
    body: { posts: [postView(SOMEBODY, '3jzfcijpj2z2a', { labels: [], embed: undefined })] },
  }))
  sides.answerWith('app.bsky.graph.getList', () => ({
    body: {
      list: {
        uri: `at://${SOMEBODY}/app.bsky.graph.list/a`,
        cid: CID,
        creator: profileView(SOMEBODY),
        name: 'list',
        purpose: 'app.bsky.graph.defs#curatelist',
        indexedAt: createdAt,
      },
      items: [],
    },
  }))
}

describe('a profile', () => {
  test('of the caller is what they wrote', async () => {
    behind('app.bsky.actor.getProfile', ({ user }) => profileView(user.did, { followersCount: 3 }))
    const { json, headers } = await view(({ user }) => `app.bsky.actor.getProfile?actor=${user.did}`)
    expect(json).toMatchObject({ displayName: 'New name', description: 'new', followersCount: 3 })
    expect(json.avatar).toMatch(/^https:\/\/cdn\.test\/avatar\/DID\/bafkrei/)
    expect(headers.rev).toBeUndefined()
  })

  test('of somebody else is left alone', async () => {
    behind('app.bsky.actor.getProfile', () => profileView(SOMEBODY))
    expect((await view(`app.bsky.actor.getProfile?actor=${SOMEBODY}`)).json.displayName).toBe('Old name')
  })

  test('among others is what they wrote', async () => {
    behind('app.bsky.actor.getProfiles', ({ user }) => ({
      profiles: [profileView(SOMEBODY), profileView(user.did)],
    }))
    const { json } = await view(
      ({ user }) => `app.bsky.actor.getProfiles?actors=${user.did}&actors=${SOMEBODY}`,
    )
    expect(json.profiles.map(({ displayName }: { displayName: string }) => displayName)).toEqual([
      'Old name',
      'New name',
    ])
  })

  test('comes with word of how far the AppView is behind', async () => {
    behind('app.bsky.actor.getProfile', ({ user }) => profileView(user.did))
    for (const { url, user, tokens } of [sides.ours, sides.theirs]) {
      const response = await fetch(`${url}/xrpc/app.bsky.actor.getProfile?actor=${user.did}`, {
        headers: { authorization: `Bearer ${tokens.full}` },
      })
      const lagMs = Number(response.headers.get('atproto-upstream-lag'))
      expect(lagMs).toBeGreaterThan(0)
      expect(lagMs).toBeLessThan(60_000)
    }
  })
})

describe('a feed', () => {
  test('of likes has the new profile', async () => {
    behind('app.bsky.feed.getActorLikes', ({ user }) => ({
      feed: [{ post: postView(user.did, 'a') }, { post: postView(SOMEBODY, 'b') }],
    }))
    const { json } = await view(({ user }) => `app.bsky.feed.getActorLikes?actor=${user.did}`)
    expect(json.feed).toHaveLength(2)
    expect(json.feed[0].post.author.displayName).toBe('New name')
  })

  test('of the caller has their new posts, with everything in them', async () => {
    knowQuoted()
    behind('app.bsky.feed.getAuthorFeed', ({ user }) => ({
      cursor: 'more',
      feed: [{ post: postView(user.did, '3jzfcijpj2z2a') }],
    }))
    const { json } = await view(({ user }) => `app.bsky.feed.getAuthorFeed?actor=${user.did}`)
    const texts = json.feed.map(({ post }: { post: { record: { text: string } } }) => post.record.text)
    expect(texts).toEqual([
      'list',
      'quote with image',
      'quote',
      'link',
      'images',
      'nested',
      'reply',
      'plain',
      'seen',
    ])
    expect(json.feed[0].post.embed.record.$type).toBe('app.bsky.graph.defs#listView')
    expect(json.feed[2].post.embed.record.$type).toBe('app.bsky.embed.record#viewRecord')
    expect(json.cursor).toBe('more')
  })

  test('of the caller that begins with their own repost is theirs', async () => {
    knowQuoted()
    behind('app.bsky.feed.getAuthorFeed', ({ user }) => ({
      feed: [
        {
          post: postView(SOMEBODY, 'a'),
          reason: {
            $type: 'app.bsky.feed.defs#reasonRepost',
            by: profileView(user.did),
            indexedAt: createdAt,
          },
        },
      ],
    }))
    expect(
      (await view(({ user }) => `app.bsky.feed.getAuthorFeed?actor=${user.did}`)).json.feed,
    ).toHaveLength(9)
  })

  test('of somebody else, or of nothing, is left alone', async () => {
    for (const feed of [[{ post: postView(SOMEBODY, 'a') }], []]) {
      behind('app.bsky.feed.getAuthorFeed', () => ({ feed }))
      expect((await view(`app.bsky.feed.getAuthorFeed?actor=${SOMEBODY}`)).json).toEqual({
        feed: expect.any(Array),
      })
    }
  })

  test('of everybody has the new posts in their places', async () => {
    knowQuoted()
    behind('app.bsky.feed.getTimeline', () => ({
      feed: [
        { post: postView(SOMEBODY, 'future', { indexedAt: '2124-01-01T00:00:00.000Z' }) },
        { post: postView(SOMEBODY, 'past') },
      ],
    }))
    const { json } = await view('app.bsky.feed.getTimeline')
    expect(json.feed).toHaveLength(10)
    expect(json.feed.at(-1).post.uri).toContain('past')
    behind('app.bsky.feed.getTimeline', () => ({ feed: [] }))
    expect((await view('app.bsky.feed.getTimeline')).json.feed).toHaveLength(8)
  })

  test('without what cannot be found is shown all the same', async () => {
    sides.answerWith('app.bsky.feed.getPosts', () => ({ body: { posts: [] } }))
    sides.answerWith('app.bsky.graph.getList', () => ({ status: 500, body: {} }))
    behind('app.bsky.feed.getTimeline', () => ({ feed: [] }))
    const { json, headers } = await view('app.bsky.feed.getTimeline')
    expect(json.feed, 'a quoted record could not be asked for').toEqual([])
    expect(headers.rev).toBe('seen')
  })
})

describe('a thread', () => {
  const thread = (replies: object[] = []) => ({
    thread: {
      $type: 'app.bsky.feed.defs#threadViewPost',
      post: postView(SOMEBODY, '3jzfcijpj2z2a'),
      replies,
    },
  })

  test('has the new replies of the caller, and the replies to those', async () => {
    behind('app.bsky.feed.getPostThread', () => thread())
    const { json } = await view(`app.bsky.feed.getPostThread?uri=${FOREIGN_POST}`)
    expect(json.thread.replies).toHaveLength(1)
    expect(json.thread.replies[0]).toMatchObject({
      post: { record: { text: 'reply' } },
      replies: [{ post: { record: { text: 'nested' } } }],
    })
  })

  test('in which the parent is deeper', async () => {
    const other = { $type: 'app.bsky.feed.defs#threadViewPost', post: postView(SOMEBODY, 'c') }
    const missing = { $type: 'app.bsky.feed.defs#notFoundPost', uri: FOREIGN_POST, notFound: true }
    behind('app.bsky.feed.getPostThread', (side) => {
      const uri = postUri(side, 'reply')
      const reply = {
        $type: 'app.bsky.feed.defs#threadViewPost',
        post: { ...postView(side.user.did, KEYS.reply), uri },
      }
      return thread([missing, other, { ...reply, replies: [] }])
    })
    const { json } = await view(`app.bsky.feed.getPostThread?uri=${FOREIGN_POST}`)
    expect(json.thread.replies).toHaveLength(4)
  })

  test('that is blocked is left alone', async () => {
    const blocked = {
      $type: 'app.bsky.feed.defs#blockedPost',
      uri: FOREIGN_POST,
      blocked: true,
      author: { did: SOMEBODY },
    }
    behind('app.bsky.feed.getPostThread', () => ({ thread: blocked }))
    expect((await view(`app.bsky.feed.getPostThread?uri=${FOREIGN_POST}`)).json.thread).toEqual(blocked)
  })

  const notFound = (side: Side) => ({
    status: 400,
    headers: { 'atproto-repo-rev': seen.get(side) as string },
    body: { error: 'NotFound', message: 'Post not found' },
  })

  test('of a post that the AppView has not seen is made here', async () => {
    sides.answerWith('app.bsky.feed.getPostThread', notFound)
    for (const host of ['did', 'handle'] as const) {
      const { json } = await view(
        ({ user }) => `app.bsky.feed.getPostThread?uri=at://${user[host]}/${POSTS}/${KEYS.plain}`,
      )
      expect(json.thread.post.record.text).toBe('plain')
    }
  })

  test('of a reply that the AppView has not seen has what it replies to', async () => {
    sides.answerWith('app.bsky.feed.getPostThread', (side) => ({ path }, response) => {
      const isParent = path.includes(encodeURIComponent(FOREIGN_POST))
      const answer = isParent ? { status: 200, headers: {}, body: thread() } : notFound(side)
      response.writeHead(answer.status, { 'content-type': 'application/json', ...answer.headers })
      response.end(JSON.stringify(answer.body))
    })
    const { json } = await view(
      (side) => `app.bsky.feed.getPostThread?parentHeight=7&uri=${postUri(side, 'reply')}`,
    )
    expect(json.thread).toMatchObject({
      post: { record: { text: 'reply' } },
      parent: { post: { uri: FOREIGN_POST } },
      replies: [{ post: { record: { text: 'nested' } } }],
    })
    expect(sides.ours.services.received).toHaveLength(2)
  })

  test.each<[string, number, boolean]>([
    ['is gone', 400, false],
    ['cannot be had now', 503, true],
  ])('of a reply to a post that %s is without it', async (_, status, isSaid) => {
    const warn = vi.spyOn(logger('read-after-write'), 'warn')
    sides.answerWith('app.bsky.feed.getPostThread', (side) => ({ path }, response) => {
      const isParent = path.includes(encodeURIComponent(FOREIGN_POST))
      const answer = isParent ? { status, headers: {}, body: { error: 'NotFound' } } : notFound(side)
      response.writeHead(answer.status, { 'content-type': 'application/json', ...answer.headers })
      response.end(JSON.stringify(answer.body))
    })
    const { json } = await view(
      (side) => `app.bsky.feed.getPostThread?parentHeight=7&uri=${postUri(side, 'reply')}`,
    )
    expect(json.thread.post.record.text).toBe('reply')
    expect(json.thread.parent).toBeUndefined()
    expect(warn.mock.calls).toEqual(
      isSaid
        ? [[expect.objectContaining({ uri: FOREIGN_POST, todo: expect.any(String) }), expect.any(String)]]
        : [],
    )
    warn.mockRestore()
  })

  test.each([
    ['is of somebody else', FOREIGN_POST],
    ['is not there', `at://DID/${POSTS}/3jzfcijpj2z2z`],
    ['was seen', `at://DID/${POSTS}/3jzfcijpj2z2a`],
  ])('of a post that %s is not found', async (_, uri) => {
    sides.answerWith('app.bsky.feed.getPostThread', notFound)
    const { status, json } = await view(
      ({ user }) => `app.bsky.feed.getPostThread?uri=${uri.replace('DID', user.did)}`,
    )
    expect({ status, json }).toMatchObject({ status: 400, json: { error: 'NotFound' } })
  })
})

describe('an answer', () => {
  const feed = ({ user }: Side) => ({ feed: [{ post: postView(user.did, '3jzfcijpj2z2a') }] })
  const path = ({ user }: Side) => `app.bsky.feed.getAuthorFeed?actor=${user.did}`
  const nsid = 'app.bsky.feed.getAuthorFeed'

  test('that does not say what was seen is left alone', async () => {
    sides.answerWith(nsid, (side) => ({ body: feed(side) }))
    expect((await view(path)).json.feed).toHaveLength(1)
  })

  test('that is up to date is left alone', async () => {
    for (const rev of ['3zzzzzzzzzzzz', 'z']) {
      sides.answerWith(nsid, (side) => ({ headers: { 'atproto-repo-rev': rev }, body: feed(side) }))
      expect((await view(path)).json.feed).toHaveLength(1)
    }
  })

  test('from before everything that is here is left alone', async () => {
    behind(nsid, feed, { 'atproto-repo-rev': '2222222222222' })
    expect((await view(path)).json.feed).toHaveLength(1)
  })

  test('that is compressed is patched', async () => {
    knowQuoted()
    sides.answerWith(nsid, (side) => (_, response) => {
      response.writeHead(200, {
        'content-type': 'application/json',
        'content-encoding': 'gzip',
        'atproto-repo-rev': seen.get(side),
      })
      response.end(gzipSync(JSON.stringify(feed(side))))
    })
    expect((await view(path)).json.feed).toHaveLength(9)
  })

  test('that cannot be understood is left alone', async () => {
    behind(nsid, () => ({ feed: 'none' }))
    expect((await view(path)).json).toEqual({ feed: 'none' })
    behind(nsid, () => ({ html: true }), { 'content-type': 'text/html' })
    expect((await view(path)).json).toEqual({ html: true })
  })

  test('that is cut off is an error', async () => {
    sides.answerWith(nsid, (side) => (_, response) => {
      response.writeHead(200, { 'content-type': 'application/json', 'atproto-repo-rev': seen.get(side) })
      response.write('{"feed":[', () => response.destroy())
    })
    expect((await ask(sides.ours, (side) => ({ path: `/xrpc/${path(side)}` }))).status).toBe(502)
  })
})

describe('the feed of a generator', () => {
  const FEED = `at://${SOMEBODY}/app.bsky.feed.generator/cats`
  const path = `app.bsky.feed.getFeed?feed=${encodeURIComponent(FEED)}&limit=3`

  test('is asked for with a token for the generator', async () => {
    const did = 'did:web:feeds.example.com'
    sides.answerWith('com.atproto.repo.getRecord', () => ({ body: { uri: FEED, cid: CID, value: { did } } }))
    sides.answerWith('app.bsky.feed.getFeed', () => ({ body: { feed: [] } }))
    const { json, reached } = await view(path)
    expect(json).toEqual({ feed: [] })
    expect(reached[1]).toMatchObject({
      path: `/xrpc/${path}`,
      token: { iss: 'DID', aud: did, lxm: 'app.bsky.feed.getFeedSkeleton' },
    })
  })

  test('that names no generator is unknown', async () => {
    sides.answerWith('com.atproto.repo.getRecord', () => ({ body: { uri: FEED, cid: CID, value: {} } }))
    // The reference names it after a class of its own.
    const { status, body } = await ask(sides.ours, { path: `/xrpc/${path}` })
    expect({ status, body }).toMatchObject({ status: 400, body: expect.stringContaining('UnknownFeed') })
  })

  test('that is not there is not found', async () => {
    sides.answerWith('com.atproto.repo.getRecord', () => ({
      status: 400,
      body: { error: 'RecordNotFound', message: 'Could not locate record' },
    }))
    expect((await view(path)).status).toBe(400)
  })
})
