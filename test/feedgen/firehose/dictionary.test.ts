import { expect, test } from 'vitest'
import { Dictionary } from '../../../feedgen/firehose/dictionary.ts'
import { DICTIONARY, DICTIONARY_ID } from '../../support/zstd-dictionary.ts'

test('what is no dictionary is not taken for one that the server has', async () => {
  const answers = [
    new Response('<h1>Just a moment</h1>'),
    new Response('', { status: 503 }),
    new Response(new Uint8Array(DICTIONARY)),
  ]
  const dictionary = new Dictionary(
    'wss://jetstream.test',
    async () => answers.shift() ?? expect.unreachable(),
  )
  const { signal } = new AbortController()
  expect(await dictionary.id(signal)).toBeUndefined()
  expect(await dictionary.id(signal)).toBeUndefined()
  expect(await dictionary.id(signal)).toBe(DICTIONARY_ID)
  expect(await dictionary.id(signal)).toBe(DICTIONARY_ID)
})
