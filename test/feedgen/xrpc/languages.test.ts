import { expect, test } from 'vitest'
import { acceptedLanguages } from '../../../feedgen/xrpc/languages.ts'

test.for([
  ['en,fr', ['en', 'fr']],
  ['de-AT, it;q=0.3 , fr;q=0.9', ['de-AT', 'fr', 'it']],
  ['sv;q=0, da', ['da']],
  ['ja, ja;q=0.5', ['ja']],
  ['cy, *;q=0', ['cy']],
  ['no good at all, nl', ['nl']],
  ['quux, nl;q=x, sr-Latn-RS', ['sr-Latn-RS']],
  ['*', undefined],
  ['en, *;q=0.1', undefined],
  ['', undefined],
  [undefined, undefined],
  ['und, zxx', undefined],
  ['\u0000, ;;q=1', undefined],
] as const)('Accept-Language: %s', ([header, tags]) => {
  expect(acceptedLanguages(header)?.tags).toEqual(tags)
})

test('of very many accept-language entries the first count', () => {
  const tags =
    'ab af am ar as az be bg bn bo bs ca cs cy da de el en eo es et eu fa fi fr ga gl gu he hi hr hu hy id is it ja ka kk km kn ko ku ky lo lt lv mk ml mn mr ms mt my ne nl'
  const accepted = acceptedLanguages(tags.replaceAll(' ', ', '))
  expect(accepted?.tags).toEqual(tags.split(' ').slice(0, 50))
})
