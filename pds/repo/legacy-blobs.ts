/**
 * Profiles with blobs in the legacy form (`{cid, mimeType}`). Clients read such a profile, change a
 * field and write it back, so an existing one is accepted and converted to the current form. Only
 * here is a record stored that differs from the one sent.
 */
import { isLegacyBlobRef } from '@atproto/lex-data'
import { type Cid, cidToLink, parseCid } from '#protocol/cid.ts'
import { badBlobReference } from './errors.ts'

const PROFILE = 'app.bsky.actor.profile'

const BLOB_FIELDS = ['avatar', 'banner'] as const

/** Whether a record is a profile that names a blob in the form of those days. */
export const hasLegacyBlobs = (collection: string, record: Record<string, unknown>): boolean =>
  collection === PROFILE && BLOB_FIELDS.some((field) => isLegacyBlobRef(record[field]))

/**
 * A profile with its blobs in the form of today.
 * @param sizeOf the size of a blob that is here, in bytes
 * @throws DomainError when one is not
 */
export function withTypedBlobs(
  profile: Record<string, unknown>,
  sizeOf: (cid: Cid) => number | undefined,
): Record<string, unknown> {
  const typed = { ...profile }
  for (const field of BLOB_FIELDS) {
    const blob = profile[field]
    if (!isLegacyBlobRef(blob)) continue
    const cid = parseCid(blob.cid)
    const size = sizeOf(cid)
    if (size === undefined) throw badBlobReference('BlobNotFound', `Could not find blob: ${blob.cid}`)
    typed[field] = { $type: 'blob', ref: cidToLink(cid), mimeType: blob.mimeType, size }
  }
  return typed
}
