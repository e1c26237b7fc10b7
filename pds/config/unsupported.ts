/** Variables of `@atproto/pds` that are refused here, or have no effect. */
import type { Env } from '#platform/env.ts'

/** What would silently work otherwise than the operator thinks is refused. */
export function refuseUnsupported(env: Env): void {
  if (env.has('PDS_ENTRYWAY_URL')) env.fault('PDS_ENTRYWAY_URL', 'an entryway is not supported')
  if (env.has('PDS_PLC_ROTATION_KEY_KMS_KEY_ID')) {
    env.fault(
      'PDS_PLC_ROTATION_KEY_KMS_KEY_ID',
      'a key in KMS is not supported; set PDS_PLC_ROTATION_KEY_K256_PRIVATE_KEY_HEX',
    )
  }
}

/** The reference's variables that have no effect here: what of it is here instead, if anything. */
const UNUSED: readonly (readonly [name: string, message: string])[] = [
  ...[
    'PDS_ACCOUNT_DB_LOCATION',
    'PDS_SEQUENCER_DB_LOCATION',
    'PDS_DID_CACHE_DB_LOCATION',
    'PDS_ACTOR_STORE_DIRECTORY',
  ].map(
    (name) => [name, 'says where a database of @atproto/pds lies; here is one, in the data folder'] as const,
  ),
  ['PDS_ACTOR_STORE_CACHE_SIZE', 'there is one database, and it is always open'],
  ['PDS_MAX_SUBSCRIPTION_BUFFER', 'subscribers read the event table; there is no buffer for each'],
  ['PDS_REDIS_SCRATCH_ADDRESS', 'what the limits count is kept in memory'],
  ['PDS_REDIS_SCRATCH_PASSWORD', 'what the limits count is kept in memory'],
  ...[
    'PDS_ENTRYWAY_DID',
    'PDS_ENTRYWAY_JWT_VERIFY_KEY_K256_PUBLIC_KEY_HEX',
    'PDS_ENTRYWAY_PLC_ROTATION_KEY',
    'PDS_ENTRYWAY_ADMIN_TOKEN',
  ].map((name) => [name, 'an entryway is not supported'] as const),
]

export function warnOfUnused(env: Env): void {
  for (const [name, message] of UNUSED) if (env.has(name)) env.warn(name, message)
}
