/**
 * Indexes of earlier versions whose definitions and posts write tags, languages, hosts and
 * expressions in forms that those versions compared letter by letter: they open, and serve what
 * today's rules say. See `record-forms.ts`.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { gunzipSync } from 'node:zlib'
import { AtpAgent } from '@atproto/api'
import { describe, expect, test } from 'vitest'
import { eventually } from '../feedgen/support.ts'
import { rows } from '../feedgen/tables.ts'
import { startProcess, temporaryFolder } from '../support/processes.ts'
import { clockEnv } from './clock.ts'

interface World {
  endedAtMs: number
  serviceDid: string
  posts: Record<string, string>
  /** What each feed's page had when it was recorded. */
  feeds: Record<string, { uri: string; before: string[] }>
}

/** The names of the posts of each feed, newest first. */
const expected: Record<string, string[]> = {
  'tags-source': ['facet', 'beside'],
  'tags-filter': ['facet', 'beside'],
  american: ['beside'],
  portuguese: ['underscore', 'european'],
  host: ['card'],
  expression: ['cat'],
  plain: ['facet'],
}

const versions = readdirSync(import.meta.dirname).filter((version) =>
  existsSync(path.join(import.meta.dirname, version, 'forms.sqlite.gz')),
)

describe.each(versions)('an index of %s', (version) => {
  test('serves definitions and posts of forms that were not known as such', async () => {
    const folder = path.join(import.meta.dirname, version)
    const world: World = JSON.parse(readFileSync(path.join(folder, 'forms.json'), 'utf8'))
    using data = temporaryFolder()
    const file = path.join(data.path, 'feedgen.sqlite')
    writeFileSync(file, gunzipSync(readFileSync(path.join(folder, 'forms.sqlite.gz'))))
    await using feedgen = await startProcess({
      file: 'feedgen/main.ts',
      env: {
        FEEDGEN_PORT: '0',
        FEEDGEN_DATA_DIRECTORY: data.path,
        FEEDGEN_SQLITE_LOCATION: file,
        FEEDGEN_SERVICE_DID: world.serviceDid,
        FEEDGEN_PUBLISHERS: world.feeds.plain?.uri.split('/')[2],
        // Nothing new comes.
        FEEDGEN_SUBSCRIPTION_ENDPOINT: 'http://localhost:9',
        FEEDGEN_BACKFILL: 'false',
        FEEDGEN_APPVIEW_URL: '',
        PDS_DID_PLC_URL: 'http://localhost:9',
        ...clockEnv(world.endedAtMs + 3_600_000),
      },
      ready: /feed generator at http/,
    })
    const { feed: feeds } = new AtpAgent({ service: /http:\S+/.exec(feedgen.output())?.[0] as string }).app
      .bsky
    const unfilled = () =>
      rows(file, 'select 1 from definitions where filled_version is null or filled_version < version')
    await eventually(() => unfilled().length === 0)
    const nameOf = (post: string) => Object.entries(world.posts).find(([, uri]) => uri === post)?.[0]
    const shown: Record<string, unknown> = {}
    for (const [key, { uri }] of Object.entries(world.feeds)) {
      const { data } = await feeds.getFeedSkeleton({ feed: uri })
      shown[key] = data.feed.map(({ post }) => nameOf(post))
    }
    expect(shown).toEqual(expected)
    // The version of before had other rules, or nothing here is brought up to date.
    const before = Object.entries(world.feeds).filter(
      ([key, { before }]) => String(before.map(nameOf)) !== String(expected[key]),
    )
    expect(before.length).toBeGreaterThan(0)
  })
})
