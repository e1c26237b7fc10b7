/**
 * What a parameter or a property may be set to, rightly and wrongly, by its type in the lexicon.
 */

/** A parameter or property, as far as its values depend on it. */
export interface Property {
  readonly type: string
  readonly format?: string
  readonly minimum?: number
  readonly maximum?: number
  readonly maxLength?: number
  readonly items?: Property
}

const unknownCid = 'bafyreihnkxh4q4bsbsqp6t3kmbsnz2a5hz2a7kzbwxgtaqphlrvmcqsegq'

/** Texts of each format that are wrong, or right and unknown. */
const texts: Readonly<Record<string, readonly string[]>> = {
  plain: ['', 'x', 'ä ö/?&', 'x'.repeat(3000)],
  did: [
    '',
    'x',
    'did:plc',
    'did:plc:',
    'alice-here.test',
    'did:plc:aaaaaaaaaaaaaaaaaaaaaaaa',
    'did:web:example.com',
    'did:x:y',
    'DID:plc:a',
    ' did:web:a.b',
  ],
  handle: [
    '',
    'x',
    'no.such.test',
    'ALICE-here.test',
    '@alice-here.test',
    'a..test',
    '-a.test',
    'a_b.test',
    'did:plc:aaaaaaaaaaaaaaaaaaaaaaaa',
    `${'a'.repeat(64)}.test`,
  ],
  'at-identifier': [
    '',
    'x',
    'no-such.test',
    'ALICE-here.test',
    '@alice-here.test',
    'did:plc',
    'did:plc:aaaaaaaaaaaaaaaaaaaaaaaa',
    'did:web:example.com',
    'at://alice-here.test',
  ],
  nsid: [
    '',
    'x',
    'app.bsky',
    'com.example.none',
    'app.bsky.feed.post-1',
    'app.bsky.feed.9a',
    'APP.bsky.feed.post',
    'app.bsky.feed.*',
    `com.example.${'a'.repeat(64)}`,
  ],
  cid: [
    '',
    'x',
    'bafy',
    unknownCid,
    'bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku',
    'QmbWqxBEKC3P8tqsKc98xmWNzrzDtRLMiMPL8wBuTGsMnR',
    unknownCid.toUpperCase(),
    `${unknownCid}a`,
    'zdpuAqXm2rSa4NtdTUyDg7Rcuh1VSQrLqEYTzKTyqzRrHGpxi',
  ],
  tid: ['', 'x', '3laaaaaaaaaaa', 'zzzzzzzzzzzzz', '3laaaaaaaaaaaa', '0000000000000', '2222222222222'],
  'record-key': ['', '.', '..', 'x', 'a/b', 'ä', 'a b', 'a#b', 'x'.repeat(512), 'x'.repeat(513), '~:._-'],
}

const numbers = [
  '',
  'x',
  '1',
  '1.5',
  '-1',
  '0',
  '1e1',
  '007',
  ' 5',
  '0x5',
  '99999999999999999999',
  'NaN',
  'Infinity',
]
const booleans = ['', 'true', 'false', 'TRUE', '1', '0', 'x']

/** What a query's parameter may be set to, rightly and wrongly. */
export function* paramValues(property: Property): Generator<unknown> {
  switch (property.type) {
    case 'integer':
      yield* numbers
      if (property.maximum !== undefined) yield* [property.maximum, property.maximum + 1]
      return
    case 'boolean':
      return yield* booleans
    case 'array':
      for (const item of paramValues(property.items ?? { type: 'string' })) yield [item]
      return
    default:
      yield* texts[property.format ?? 'plain'] ?? []
  }
}

/** What a body's property may be set to, rightly and wrongly. */
export function* inputValues(property: Property): Generator<unknown> {
  yield* [null, 7, 1.5, true, [], ['x'], {}, { $link: unknownCid }, { $bytes: 'AQID' }]
  if (property.type === 'string') yield* texts[property.format ?? 'plain'] ?? []
  else yield 'x'
  if (property.maxLength !== undefined) yield 'x'.repeat(property.maxLength + 1)
}
