/** What pds.ts builds. An endpoint asks for the few it uses: `Pick<Services, 'accounts'>`. */
import type { Accounts } from './accounts/accounts.ts'
import type { Sessions } from './accounts/sessions.ts'
import type { ServiceTokens } from './auth/service-tokens.ts'
import type { AuthVerifier } from './auth/verifier.ts'
import type { Blobs } from './blobs/blobs.ts'
import type { Config } from './config.ts'
import type { Subscribers } from './firehose/subscribe.ts'
import type { DidDocuments } from './identity/did-documents.ts'
import type { Handles } from './identity/handles.ts'
import type { Exports } from './repo/export.ts'
import type { RepoReader } from './repo/read.ts'
import type { RepoWriter } from './repo/write.ts'

export interface Services {
  readonly config: Config
  readonly auth: AuthVerifier
  readonly accounts: Accounts
  readonly sessions: Sessions
  readonly serviceTokens: ServiceTokens
  readonly handles: Handles
  readonly didDocuments: DidDocuments
  readonly reader: RepoReader
  readonly writer: RepoWriter
  readonly exports: Exports
  readonly blobs: Blobs
  readonly subscribers: Subscribers
}
