/** Who may have feeds here: only the owner, also accounts named by DID or server, or anyone. */

export type Publishers =
  | 'none'
  | 'anyone'
  | { readonly dids: readonly string[]; readonly hosts: readonly string[] }

export interface PublishersOptions {
  /** Whose feeds these are in any case. */
  owner?: string
  publishers: Publishers
  /** The URL of the server that an account is at. */
  server(did: string): Promise<string>
  /** Whether an error in finding it says that there is none. */
  isUnknown(error: unknown): boolean
}

/** Whether an account may have feeds here. */
export async function mayPublish(did: string, options: PublishersOptions): Promise<boolean> {
  const { owner, publishers, server, isUnknown } = options
  if (did === owner || publishers === 'anyone') return true
  if (publishers === 'none') return false
  if (publishers.dids.includes(did)) return true
  if (publishers.hosts.length === 0) return false
  try {
    const { host, hostname } = new URL(await server(did))
    return publishers.hosts.some(
      (allowed) => allowed === host || allowed === hostname || hostname.endsWith(`.${allowed}`),
    )
  } catch (error) {
    if (isUnknown(error)) return false
    throw error
  }
}
