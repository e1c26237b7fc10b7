/**
 * `npm run demo`, with `npm start` up: a small neighbourhood moves in, posts, replies, likes,
 * reposts and follows; one of them publishes the built-in feeds; and the page that one of them sees
 * of each feed is printed, so that switching between feeds is seen. What they are and say is in
 * `demo/neighbourhood.ts`. It can be run again and again: each time new people move in.
 */
import { randomInt } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { type AppBskyFeedPost, AtpAgent, RichText } from '@atproto/api'
import { builtInFeeds } from '../feedgen/feeds/built-in.ts'
import { ask } from './ask.ts'
import { publishBuiltIn } from './atoll/feed/built-in.ts'
import { CommandError, runCommand } from './command.ts'
import { type DemoPost, lastPost, people, posts, publisher, viewer } from './demo/neighbourhood.ts'
import { drawPicture } from './demo/picture.ts'
import { feedgenSettings, pdsUrl } from './environment.ts'

const pageItems = 10
const textCharactersMax = 90
const indexSecondsMax = 20
const HOUR_MS = 3_600_000
const password = 'neighbour'

interface StrongRef {
  uri: string
  cid: string
}

/** What was written, by the posts' ids. */
type Written = Map<string, { post: DemoPost; ref: StrongRef }>

await runCommand(async () => {
  const pds = pdsUrl(process.env)
  const feedgen = new AtpAgent({ service: `http://localhost:${feedgenSettings(process.env).port}` })
  const { did: serviceDid } = await describe(feedgen)
  const domain = await handleDomain(pds)

  console.log(`${Object.keys(people).length} people move in at ${pds} ...`)
  const agents = await createAccounts(pds, domain)
  console.log('... follow each other, post, reply, like and repost ...')
  await follow(agents)
  const written: Written = new Map()
  for (const post of posts) written.set(post.id, { post, ref: await say(agents, post, written) })
  await react(agents, written)

  console.log(`... and ${publisher} publishes the feeds.`)
  const feeds = await publishBuiltIn(agentOf(agents, publisher), serviceDid)
  const last = await say(agents, lastPost, written)
  written.set(lastPost.id, { post: lastPost, ref: last })
  await untilServed(feedgen, feedUri(feeds, 'latest'), last.uri)

  const eyes = agentOf(agents, viewer)
  console.log(`\nWhat ${eyes.session?.handle} sees:`)
  for (const { rkey, displayName, description } of builtInFeeds) {
    console.log(`\n${displayName} (${rkey}): ${description}\n`)
    const page = await readPage(feedgen, eyes, serviceDid, feedUri(feeds, rkey))
    for (const [index, item] of page.entries())
      console.log(await describeItem(eyes, index + 1, item, written))
    if (page.length === 0) console.log('  (nothing)')
  }
  const names = [viewer, publisher].map((name) => agentOf(agents, name).session?.handle).join(' or ')
  console.log(`\nEvery account here has the password "${password}": log in as ${names} at ${pds}.`)
})

async function describe(feedgen: AtpAgent): Promise<{ did: string }> {
  const answer = feedgen.app.bsky.feed.describeFeedGenerator()
  return (await ask('reach the feed generator', feedgen.serviceUrl, answer)).data
}

/** Under which domain the PDS gives out handles, with its dot. */
async function handleDomain(pds: string): Promise<string> {
  const answer = new AtpAgent({ service: pds }).com.atproto.server.describeServer()
  const { availableUserDomains, inviteCodeRequired } = (await ask('reach the PDS', pds, answer)).data
  const [domain] = availableUserDomains
  if (domain === undefined || inviteCodeRequired) {
    throw new CommandError(`${pds} does not let strangers in: the demo is for a PDS of your own (npm start).`)
  }
  return domain
}

async function createAccounts(pds: string, domain: string): Promise<Map<string, AtpAgent>> {
  // Handles are taken for ever; another run gets others.
  const suffix = randomInt(36 ** 3, 36 ** 4).toString(36)
  const agents = new Map<string, AtpAgent>()
  for (const [name, { displayName, description }] of Object.entries(people)) {
    const agent = new AtpAgent({ service: pds })
    const account = {
      handle: `${name}-${suffix}${domain}`,
      email: `${name}-${suffix}@mail.test`,
      password,
    }
    await ask(`create ${account.handle}`, pds, agent.createAccount(account))
    await agent.upsertProfile((existing) => ({ ...existing, displayName, description }))
    agents.set(name, agent)
  }
  return agents
}

async function follow(agents: Map<string, AtpAgent>): Promise<void> {
  for (const [name, { follows }] of Object.entries(people)) {
    for (const other of follows) await agentOf(agents, name).follow(agentOf(agents, other).assertDid)
  }
}

/** Writes a post into its author's repository. */
async function say(agents: Map<string, AtpAgent>, post: DemoPost, written: Written): Promise<StrongRef> {
  const agent = agentOf(agents, post.author)
  const text = new RichText({ text: post.text })
  text.detectFacetsWithoutResolution()
  const record: Partial<AppBskyFeedPost.Record> & { text: string } = {
    text: text.text,
    facets: text.facets,
    langs: post.langs ?? ['en'],
    createdAt: timeOf(post.hoursAgo),
  }
  if (post.replyTo) record.reply = replyRefs(post.replyTo, written)
  if (post.picture) {
    const { data } = await agent.uploadBlob(drawPicture(), { encoding: 'image/png' })
    record.embed = { $type: 'app.bsky.embed.images', images: [{ image: data.blob, alt: post.picture }] }
  }
  return agent.post(record)
}

/**
 * What a reply points at: the post that it answers, and the one that the conversation began with.
 */
function replyRefs(id: string, written: Written): AppBskyFeedPost.ReplyRef {
  const parent = writtenPost(id, written)
  let root = parent
  while (root.post.replyTo) root = writtenPost(root.post.replyTo, written)
  return { parent: parent.ref, root: root.ref }
}

async function react(agents: Map<string, AtpAgent>, written: Written): Promise<void> {
  for (const { post, ref } of written.values()) {
    for (const name of post.likedBy ?? []) await agentOf(agents, name).like(ref.uri, ref.cid)
    for (const name of post.repostedBy ?? []) {
      const createdAt = timeOf(post.hoursAgo * 0.9)
      await agentOf(agents, name).app.bsky.feed.repost.create(
        { repo: agentOf(agents, name).assertDid },
        { subject: ref, createdAt },
      )
    }
  }
}

/**
 * Waits until a feed has the post on its first page: the firehose is in order, so all that was
 * written before is indexed too.
 */
async function untilServed(feedgen: AtpAgent, feed: string, post: string): Promise<void> {
  const deadline = Date.now() + indexSecondsMax * 1000
  for (;;) {
    const page = await feedgen.app.bsky.feed.getFeedSkeleton({ feed, limit: pageItems }).catch(() => null)
    if (page?.data.feed.some((item) => item.post === post)) return
    if (Date.now() > deadline) {
      throw new CommandError(
        `The feed generator has not indexed the posts after ${indexSecondsMax} s. Does it follow this PDS?`,
      )
    }
    await sleep(50)
  }
}

interface Item {
  post: string
  reason?: object
}

/**
 * A page of a feed as its viewer gets it: asked for with a token that the PDS signs in the viewer's
 * name.
 */
async function readPage(
  feedgen: AtpAgent,
  eyes: AtpAgent,
  serviceDid: string,
  feed: string,
): Promise<Item[]> {
  const { token } = (
    await ask(
      'get a service token',
      eyes.serviceUrl,
      eyes.com.atproto.server.getServiceAuth({ aud: serviceDid, lxm: 'app.bsky.feed.getFeedSkeleton' }),
    )
  ).data
  const page = feedgen.app.bsky.feed.getFeedSkeleton(
    { feed, limit: pageItems },
    { headers: { authorization: `Bearer ${token}` } },
  )
  return (await ask(`read ${feed}`, feedgen.serviceUrl, page)).data.feed
}

/** An item as a line: its rank, how many of the neighbours like it, its author and what it says. */
async function describeItem(eyes: AtpAgent, rank: number, item: Item, written: Written): Promise<string> {
  const [, , repo = '', , rkey = ''] = item.post.split('/')
  const { value } = await eyes.getPost({ repo, rkey })
  const { data } = await eyes.com.atproto.repo.describeRepo({ repo })
  const post = [...written.values()].find(({ ref }) => ref.uri === item.post)?.post
  const likes = post ? `${post.likedBy?.length ?? 0} ♥` : ''
  const notes = [item.reason && 'reposted', value.reply && 'a reply', value.embed && 'a picture'].filter(
    Boolean,
  )
  const text =
    value.text.length > textCharactersMax ? `${value.text.slice(0, textCharactersMax - 1)}…` : value.text
  const line = `${String(rank).padStart(4)}  ${likes.padStart(4)}  ${data.handle.padEnd(18)} ${text}`
  return notes.length > 0 ? `${line} (${notes.join(', ')})` : line
}

function feedUri(feeds: { uri: string }[], name: string): string {
  const feed = feeds.find(({ uri }) => uri.endsWith(`/${name}`))
  if (!feed) throw new Error(`no feed is called ${name}`)
  return feed.uri
}

function timeOf(hoursAgo: number): string {
  return new Date(Date.now() - hoursAgo * HOUR_MS).toISOString()
}

function agentOf(agents: Map<string, AtpAgent>, name: string): AtpAgent {
  const agent = agents.get(name)
  if (!agent) throw new Error(`nobody is called ${name}`)
  return agent
}

function writtenPost(id: string, written: Written): { post: DemoPost; ref: StrongRef } {
  const found = written.get(id)
  if (!found) throw new Error(`no post before is called ${id}`)
  return found
}
