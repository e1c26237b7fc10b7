/**
 * The vectors of identifiers and strings. TIDs and CIDs are checked by the protocol core, the rest
 * by `@atproto/syntax`, which the services use.
 */

import { readdirSync } from 'node:fs'
import {
  isAtIdentifierString,
  isAtUriString,
  isDatetimeString,
  isValidDid,
  isValidHandle,
  isValidNsid,
  isValidRecordKey,
  isValidTid,
  isValidUri,
  parseLanguageString,
} from '@atproto/syntax'
import { CID } from 'multiformats/cid'
import { describe, expect, test } from 'vitest'
import { formatCid, parseCid } from '#protocol/cid.ts'
import { isTid } from '#protocol/tid.ts'
import { vectorLines, vectorPath } from '../support/vectors.ts'

/** The checks of each kind of vector; each of them has to agree. */
const checks: { [kind: string]: ((text: string) => boolean)[] } = {
  atidentifier_syntax: [isAtIdentifierString],
  aturi_syntax: [isAtUriString],
  cid_syntax: [(text) => accepts(() => parseCid(text))],
  datetime_syntax: [isDatetimeString],
  datetime_parse: [isDatetimeString],
  did_syntax: [isValidDid],
  handle_syntax: [isValidHandle],
  language_syntax: [(text) => parseLanguageString(text) !== null],
  language_parse: [(text) => parseLanguageString(text) !== null],
  nsid_syntax: [isValidNsid],
  recordkey_syntax: [isValidRecordKey],
  tid_syntax: [isTid, isValidTid],
  uri_syntax: [isValidUri],
}

/**
 * `parseCid` is for the CIDs of the protocol alone: version 1 in base32, DAG-CBOR or raw, SHA-256.
 * The vectors are of the string format `cid`, which is any CID that may stand in a record's text;
 * none of them is one of the protocol's. https://atproto.com/specs/data-model#link-and-cid-formats
 */
const notOfTheProtocol = {
  codec: 'a CID of another codec (DAG-PB)',
  base: 'a CID in another base than base32',
}

const longUri = `https://example.com/${'x'.repeat(8200)}`

/**
 * Where a check disagrees with a vector, and why it is left at that. A test fails when it begins to
 * agree.
 */
const knownDeviations = new Map<string, string>([
  [
    'cid_syntax_valid.txt: bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi',
    notOfTheProtocol.codec,
  ],
  [
    'cid_syntax_valid.txt: bafybeie5gq4jxvzmsym6hjlwxej4rwdoxt7wadqvmmwbqi7r27fclha2va',
    notOfTheProtocol.codec,
  ],
  ['cid_syntax_valid.txt: zdj7WWeQ43G6JJvLWQWZpyHuAMq6uYWRjkBXFad11vE2LHhQ7', notOfTheProtocol.base],
  ['cid_syntax_valid.txt: mBcDxtdWx0aWhhc2g+', notOfTheProtocol.base],
  ['cid_syntax_valid.txt: z7x3CtScH765HvShXT', notOfTheProtocol.base],
  ['cid_syntax_valid.txt: zdj7WhuEjrB52m1BisYCtmjH1hSKa7yZ3jEZ9JcXaFRD51wVz', notOfTheProtocol.base],
  ['cid_syntax_valid.txt: 7134036155352661643226414134664076', notOfTheProtocol.base],
  [
    'cid_syntax_valid.txt: f017012202c5f688262e0ece8569aa6f94d60aad55ca8d9d83734e4a7430d0cff6588ec2b',
    notOfTheProtocol.base,
  ],
  [
    'uri_syntax_valid.txt: content-type:text/plan',
    'isValidUri knows no hyphen in a scheme; the reference validates with it',
  ],
  [
    'uri_syntax_valid.txt: microsoft.windows.camera:thing',
    'isValidUri knows no dot in a scheme; the reference validates with it',
  ],
  [
    `uri_syntax_invalid.txt: ${longUri}`,
    'isValidUri has no limit of length; the reference validates with it',
  ],
])

const files = readdirSync(vectorPath('syntax'))

describe('syntax', () => {
  describe.each(files)('%s', (file) => {
    const [, kind, verdict] = /^(.*)_(valid|invalid)\.txt$/.exec(file) ?? []
    const lines = vectorLines(`syntax/${file}`)

    test('has a check, and lines', () => {
      expect(checks[kind ?? '']).toBeDefined()
      expect(lines.length).toBeGreaterThan(0)
    })

    test.each(lines)('%j', (line) => {
      const expected = (verdict === 'valid') !== knownDeviations.has(`${file}: ${line}`)
      for (const check of checks[kind as string] ?? []) expect(check(line)).toBe(expected)
    })
  })

  test('the digest of a CID of another codec is one of the protocol with its codecs', () => {
    const { multihash } = CID.parse('bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi')
    for (const codec of [0x71, 0x55]) {
      const text = CID.createV1(codec, multihash).toString()
      expect(formatCid(parseCid(text))).toBe(text)
    }
  })

  test('every known deviation is about a vector', () => {
    for (const deviation of knownDeviations.keys()) {
      const at = deviation.indexOf(': ')
      expect(vectorLines(`syntax/${deviation.slice(0, at)}`)).toContain(deviation.slice(at + 2))
    }
  })
})

function accepts(read: () => unknown): boolean {
  try {
    read()
    return true
  } catch {
    return false
  }
}
