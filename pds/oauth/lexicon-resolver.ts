/**
 * Resolves permission sets: lexicon documents in the repository of the NSID's authority. Those of
 * accounts on this host are read locally.
 * https://atproto.com/specs/lexicon#lexicon-publication-and-resolution
 */
import { parseCid } from '@atproto/lex-data'
import { lexParse } from '@atproto/lex-json'
import { type LexMap, LexResolver, LexResolverError } from '@atproto/lex-resolver'
import type { Fetch } from '#platform/fetch.ts'
import { formatCid } from '#protocol/cid.ts'
import { recordToJsonText } from '#protocol/record.ts'
import type { RepoReader } from '../repo/read.ts'
import type { AccountStore } from '../store/accounts.ts'

const COLLECTION = 'com.atproto.lexicon.schema'

export interface LexiconResolverOptions {
  readonly accounts: Pick<AccountStore, 'byDid'>
  readonly reader: Pick<RepoReader, 'record'>
  /** For addresses that strangers name. */
  readonly fetch: Fetch
  readonly plcUrl: string
  /** Whose repository holds every lexicon; left out, that of each name's own authority. */
  readonly authorityDid: string | undefined
}

export function createLexiconResolver(options: LexiconResolverOptions): LexResolver {
  const { accounts, reader, fetch, plcUrl, authorityDid } = options
  return new LexResolver({
    fetch,
    plcDirectoryUrl: plcUrl,
    hooks: {
      onResolveAuthority: () => authorityDid as `did:${string}:${string}` | undefined,
      onFetch: ({ did, nsid }) => {
        const account = accounts.byDid(did)
        if (account?.takedownRef != null) {
          throw new LexResolverError(nsid, `The repository of ${did} is not available`)
        }
        // What is deactivated here may have moved elsewhere.
        if (account === undefined || account.deactivatedAt !== null) return undefined
        const record = reader.record(account, { collection: COLLECTION, rkey: nsid.toString() })
        if (record === undefined || record.takedownRef !== null) {
          throw new LexResolverError(nsid, `${did} has no such lexicon`)
        }
        return {
          cid: parseCid(formatCid(record.cid)),
          record: lexParse<LexMap>(recordToJsonText(record.block)),
        }
      },
    },
  })
}
