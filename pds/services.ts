/** What wiring/ builds. An endpoint asks for the few it uses: `Pick<Services, 'accounts'>`. */

import type { Checkups } from './accounts/account-status-report.ts'
import type { Accounts } from './accounts/accounts.ts'
import type { AccountCreation } from './accounts/create.ts'
import type { AppPasswords } from './accounts/credentials/app-passwords.ts'
import type { EmailTokens } from './accounts/credentials/email-tokens.ts'
import type { Passkeys } from './accounts/credentials/passkeys.ts'
import type { PasswordChanges } from './accounts/credentials/password-changes.ts'
import type { PasswordProofs } from './accounts/credentials/password-proofs.ts'
import type { SecondFactors } from './accounts/credentials/second-factors.ts'
import type { Deletions } from './accounts/deletions.ts'
import type { DueAccounts } from './accounts/due-accounts.ts'
import type { Emails } from './accounts/emails.ts'
import type { HandleChanges } from './accounts/handles.ts'
import type { Identities } from './accounts/identities.ts'
import type { Invites } from './accounts/invites.ts'
import type { Moves } from './accounts/moves.ts'
import type { Preferences } from './accounts/preferences.ts'
import type { Sessions } from './accounts/sessions.ts'
import type { PasswordSignIn } from './accounts/sign-in.ts'
import type { Standing } from './accounts/statuses.ts'
import type { AccountInfos } from './admin/account-infos.ts'
import type { Takedowns } from './admin/takedowns.ts'
import type { ServiceTokens } from './auth/service-tokens.ts'
import type { AuthVerifier } from './auth/verifier.ts'
import type { Blobs } from './blobs/blobs.ts'
import type { Config } from './config.ts'
import type { Crawlers } from './firehose/crawlers.ts'
import type { Subscribers } from './firehose/subscribe.ts'
import type { DidDocuments } from './identity/did-documents.ts'
import type { Handles } from './identity/handles.ts'
import type { SignIns } from './limits/sign-ins.ts'
import type { Mailer } from './mail/mailer.ts'
import type { Browsers } from './oauth/device-sessions.ts'
import type { OAuthProvider } from './oauth/provider.ts'
import type { OAuthPruning } from './oauth/pruning.ts'
import type { AppView } from './proxy/app-view.ts'
import type { Destinations } from './proxy/destinations.ts'
import type { ServiceProxy } from './proxy/proxy.ts'
import type { Upstream } from './proxy/upstream.ts'
import type { Views } from './proxy/views.ts'
import type { Exports } from './repo/export.ts'
import type { Imports } from './repo/import.ts'
import type { ReservedKeys } from './repo/keys/reserved-keys.ts'
import type { RepoReader } from './repo/read.ts'
import type { RepoWriter } from './repo/write.ts'

export interface Services {
  readonly config: Config
  readonly auth: AuthVerifier
  readonly accounts: Accounts
  readonly accountCreation: AccountCreation
  readonly passwordSignIn: PasswordSignIn
  readonly handleChanges: HandleChanges
  readonly standing: Standing
  readonly identities: Identities
  readonly deletions: Deletions
  readonly dueAccounts: DueAccounts
  readonly moves: Moves
  readonly checkups: Checkups
  readonly takedowns: Takedowns
  readonly reservedKeys: ReservedKeys
  readonly sessions: Sessions
  /** undefined when requests are not limited. */
  readonly signIns: SignIns | undefined
  readonly emailTokens: EmailTokens
  readonly emails: Emails
  readonly appPasswords: AppPasswords
  readonly passwordChanges: PasswordChanges
  readonly secondFactors: SecondFactors
  readonly passkeys: Passkeys
  readonly passwordProofs: PasswordProofs
  readonly invites: Invites
  readonly mailer: Mailer
  readonly accountInfos: AccountInfos
  readonly serviceTokens: ServiceTokens
  readonly oauthProvider: OAuthProvider
  readonly browsers: Browsers
  readonly oauthPruning: OAuthPruning
  readonly handles: Handles
  readonly didDocuments: DidDocuments
  readonly reader: RepoReader
  readonly writer: RepoWriter
  readonly exports: Exports
  readonly imports: Imports
  readonly blobs: Blobs
  readonly subscribers: Subscribers
  readonly preferences: Preferences
  readonly destinations: Destinations
  readonly proxy: ServiceProxy
  /** undefined, as `views`, when the operator named none. */
  readonly appView: AppView | undefined
  readonly views: Views | undefined
  readonly upstream: Upstream
  readonly crawlers: Crawlers
}

/** The services when the operator named an AppView. */
export interface AppViewServices extends Services {
  readonly appView: AppView
  readonly views: Views
}
