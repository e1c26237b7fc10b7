/** Who and where accounts are: from a handle or DID to the PDS that has the repository. */
import { AtpAgent, XRPCError } from '@atproto/api'
import { getPdsEndpoint } from '@atproto/common-web'
import { type DidDocument, IdResolver } from '@atproto/identity'
import { isValidDid, isValidHandle } from '@atproto/syntax'
import type { Finding, FindRecord } from '../../feedgen/algorithm/references.ts'
import { ask } from '../ask.ts'
import { CommandError, UsageError } from '../command.ts'
import { pdsUrl, plcUrl } from '../environment.ts'

const PUBLIC_PLC_URL = 'https://plc.directory'
const resolveMillisMax = 10_000

export interface NetworkOptions {
  /** The PDS of the account that acts, when it is not to be looked up. */
  pds?: string
  /** The PLC directory. */
  plc?: string
}

export interface Account {
  did: string
  /** The URL of its PDS, without a slash at the end. */
  pds: string
}

export class Network {
  readonly #pds: string
  readonly #plc: string
  readonly #resolver: IdResolver

  constructor({ pds, plc }: NetworkOptions) {
    this.#pds = pds ?? pdsUrl(process.env)
    // Where the PDS is one of this machine, so are the identities of its accounts.
    const preset = pds !== undefined && isLocal(pds) ? plcUrl(process.env) : PUBLIC_PLC_URL
    this.#plc = plc ?? (process.env.PDS_DID_PLC_URL || preset)
    this.#resolver = new IdResolver({
      plcUrl: this.#plc,
      timeout: resolveMillisMax,
      fetch: globalThis.fetch,
    })
  }

  /**
   * Finds an account.
   * @param name a handle, with or without `@`, or a DID
   * @throws UsageError when it is neither, CommandError when nobody is called that
   */
  async findAccount(name: string): Promise<Account> {
    const handle = name.replace(/^@/, '').toLowerCase()
    if (isValidDid(name)) return { did: name, pds: await this.#pdsOf(name) }
    if (!isValidHandle(handle)) {
      throw new UsageError(`This is neither a handle (alice.example.com) nor a DID (did:plc:...): ${name}`)
    }
    // Handles under this domain mean nothing to anybody but the PDS that gave them out.
    if (handle.endsWith('.test')) return { did: await this.#askForDid(handle), pds: this.#pds }
    const did = await this.#resolver.handle.resolve(handle)
    if (did === undefined) {
      throw new CommandError(
        `Nobody is known by the handle ${handle}: neither a DNS record at _atproto.${handle} nor https://${handle}/.well-known/atproto-did names a DID.`,
      )
    }
    return { did, pds: await this.#pdsOf(did) }
  }

  /**
   * The document of a DID.
   * @throws CommandError when there is none, or it does not come
   */
  async resolveDid(did: string): Promise<DidDocument> {
    const where = did.startsWith('did:plc:') ? ` at ${this.#plc} (--plc names another)` : ''
    const document = await this.#resolver.did.resolve(did).catch((error: Error) => {
      const cause = error.cause instanceof Error ? error.cause.message : error.message
      throw new CommandError(`Could not look up ${did}${where}: ${cause}`)
    })
    if (document === null) throw new CommandError(`There is no ${did}${where}.`)
    return document
  }

  /** Whether a record is there, or that it could not be found out. */
  readonly find: FindRecord = async ({ did, collection, rkey }) => {
    const document = await this.#resolver.did.resolve(did)
    if (document === null) return did.startsWith('did:plc:') ? 'missing' : 'unknown'
    const service = getPdsEndpoint(document)
    if (!service) return 'unknown'
    const answer = new AtpAgent({ service }).com.atproto.repo.getRecord({ repo: did, collection, rkey })
    return answer.then(
      (): Finding => 'there',
      (error): Finding => (isAbsent(error) ? 'missing' : 'unknown'),
    )
  }

  async #pdsOf(did: string): Promise<string> {
    const pds = getPdsEndpoint(await this.resolveDid(did))
    if (!pds) throw new CommandError(`The DID document of ${did} names no PDS.`)
    return pds.replace(/\/$/, '')
  }

  async #askForDid(handle: string): Promise<string> {
    const answer = new AtpAgent({ service: this.#pds }).com.atproto.identity.resolveHandle({ handle })
    return (await ask(`find ${handle}`, this.#pds, answer)).data.did
  }
}

/** Whether a server says that there is no such record, or no such repository. */
function isAbsent(error: unknown): boolean {
  if (!(error instanceof XRPCError)) return false
  return ABSENT.has(error.error) || (error.status === 400 && /^Could not find repo/.test(error.message))
}

const ABSENT = new Set(['RecordNotFound', 'RepoNotFound', 'RepoDeactivated', 'RepoTakendown'])

function isLocal(url: string): boolean {
  return ['localhost', '127.0.0.1', '[::1]'].includes(new URL(url).hostname)
}
