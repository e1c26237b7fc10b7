/** What `feedgen.ts` builds, as far as methods and pages use it. */
import type { PublicKey } from '#protocol/keys.ts'
import type { Inquiries } from './feeds/inquiries.ts'
import type { Registry } from './feeds/registry.ts'
import type { Interactions } from './index/write/interactions.ts'
import type { Askers } from './xrpc/askers.ts'

/** The fragment of this service in its DID document. */
export const SERVICE_ID = 'bsky_fg'

export interface Services {
  /** Who this service is and where. */
  site: Site
  feeds: Registry
  viewers: Viewers
  pasts: Pasts
  interactions: Pick<Interactions, 'keep'>
  inquiries: Inquiries
  askers: Askers
}

/** Tells whose past is known. */
export interface Pasts {
  /**
   * Whether what the account did before it was first seen here is in the index; when it is not, it
   * is fetched in the background.
   * @param options `mutuals`: who follows it back is needed too, and is looked up in the background
   */
  ask(did: string, options?: { mutuals?: boolean }): Promise<boolean>
}

export interface Site {
  origin: string
  serviceDid: string
  version: string
}

/** Tells who asks. */
export interface Viewers {
  /**
   * The DID of the account in whose name a request for the method comes, by its `authorization`
   * header; null when there is none.
   * @throws AuthRequiredError when there is one and it is not in order
   */
  identify(authorization: string | undefined, method: string): Promise<string | null>
}

/** Finds the keys that service tokens are signed with. */
export interface SigningKeys {
  get(did: string): Promise<PublicKey>
  refresh(did: string): Promise<PublicKey>
}
