/** What a record says of itself. */
import { describe, expect, test } from 'vitest'
import { featuresOf } from '../../../feedgen/algorithm/features.ts'
import { compileRule, decide } from '../../../feedgen/algorithm/rule.ts'

const cardOf = (uri: string, description = '') =>
  featuresOf(
    { text: '', embed: { $type: 'app.bsky.embed.external', external: { uri, title: 'Title', description } } },
    'did:plc:a',
  )

describe('a card', () => {
  test.for([
    ['https://media.tenor.com/AAAAC/cat.gif?hh=280&ww=498', 'gif'],
    ['https://static.klipy.com/ii/4e7b/84/ef/x.webp', 'gif'],
    ['https://media3.giphy.com/media/abc/giphy.mp4', 'gif'],
    ['https://i.giphy.com/abc.webp', 'gif'],
    ['https://static.klipy.com/ii/4e7b/84/ef/x.gif?hh=280&ww=498&mp4=a&webm=b', 'gif'],
    ['https://media.giphy.com/media/v1.tracking/abc/giphy.gif', 'gif'],
    ['https://www.giphy.com/gifs/cat-falls-abc', 'gif'],
    ['https://gifs.example.org/dance.GIF#x', 'gif'],
    ['https://tenor.com/view/cat-falls-123', 'card'],
    ['https://giphy.com/about', 'card'],
    ['https://klipy.com/developers', 'card'],
    ['https://static.klipy.com/logo.svg', 'card'],
    ['https://media.giphy.com/terms', 'card'],
    ['https://example.org/x?hh=0&ww=10', 'card'],
    ['https://new-host.example/a/b.webp?ww=10&hh=20', 'gif'],
    ['https://eviltenor.com/view/x', 'card'],
    ['https://tenor.com.example.org/view', 'card'],
    ['https://example.org/about-gif', 'card'],
    ['https://example.org/?file=a.gif', 'card'],
    ['https://example.org/x?hh=a&ww=10', 'card'],
  ] as const)('of %s is a %s', ([uri, kind]) => {
    expect(cardOf(uri).media).toEqual([kind])
  })

  test('of a GIF has its alt text in the description, with or without the prefix of the app', () => {
    const uri = 'https://static.klipy.com/ii/x.gif'
    expect(cardOf(uri, 'Alt: a cat falls off a shelf').texts.alt).toBe('a cat falls off a shelf')
    expect(cardOf(uri, 'ALT: Cat Falling GIF').texts.alt).toBe('Cat Falling GIF')
    expect(cardOf(uri, 'a cat').texts.alt).toBe('a cat')
    expect(cardOf(uri, 'Alt: a cat').texts.card).toContain('a cat')
    expect(cardOf('https://example.org/x', 'Alt: a cat').texts.alt).toBe('')
  })
})

describe('alt text', () => {
  const images = (...alts: string[]) => ({
    $type: 'app.bsky.embed.images',
    images: alts.map((alt) => ({ alt, image: { ref: 'x' } })),
  })
  const video = (alt?: string) => ({
    $type: 'app.bsky.embed.video',
    video: { ref: 'x' },
    ...(alt && { alt }),
  })
  const gif = (description: string) => ({
    $type: 'app.bsky.embed.external',
    external: { uri: 'https://static.klipy.com/ii/x.gif', title: '', description },
  })
  const beside = (media: object) => ({
    $type: 'app.bsky.embed.recordWithMedia',
    record: { record: { uri: 'at://did:plc:a/app.bsky.feed.post/1' } },
    media,
  })
  test.for<[string, object | undefined, string[]]>([
    ['of every picture', images('a cat', 'a dog'), ['every', 'some']],
    ['of one picture of two', images('a cat', ' \n'), ['some']],
    ['of no picture', images('', ''), ['none']],
    ['of a video', video('a cat'), ['every', 'some']],
    ['of no video', video(), ['none']],
    ['of a GIF', gif('Alt: a cat'), ['every', 'some']],
    ['of no GIF', gif('ALT: '), ['none']],
    ['beside a quote', beside(images('a cat')), ['every', 'some']],
    ['of nothing', undefined, []],
  ])('%s', ([, embed, expected]) => {
    const features = featuresOf({ text: '', embed } as never, 'did:plc:a')
    const any = ['image', 'video', 'gif', 'none'] as const
    const holds = (['every', 'some', 'none'] as const).filter((alt) =>
      decide(compileRule({ kind: 'media', any: [...any], alt }, ''), features),
    )
    expect(holds).toEqual(expected)
  })
})
