/**
 * did:plc: making identities and updating them in a PLC directory.
 * https://web.plc.directory/spec/v0.1/did-plc
 */

import type { Keypair } from '@atproto/crypto'
import {
  type CompatibleOp,
  type CompatibleOpOrTombstone,
  createOp,
  createUpdateOp,
  type DocumentData,
  def,
  type Operation,
  type Tombstone,
  tombstoneOp,
  type UnsignedOperation,
} from '@did-plc/lib'
import { DomainError } from '#platform/errors.ts'
import type { Fetch } from '#platform/fetch.ts'
import { encode } from '#protocol/cbor.ts'
import { cidForCbor, cidToLink } from '#protocol/cid.ts'
import type { SigningKey } from '#protocol/keys.ts'

/** The directory refused an operation, or could not be asked. */
export class PlcError extends DomainError {
  override name = 'PlcError'
  /** The directory's HTTP status; undefined when there was no answer. */
  readonly status: number | undefined
  constructor(message: string, status?: number, options?: ErrorOptions) {
    if (status === TOO_MANY_REQUESTS)
      super('rateLimited', 'The PLC directory takes no more requests now. Try again later.', undefined, {
        cause: new Error(message, options),
      })
    else
      super(status !== undefined && status < 500 ? 'invalid' : 'upstreamFailed', message, undefined, options)
    this.status = status
  }
}

const TOO_MANY_REQUESTS = 429

/**
 * What an operation is to change; what is left out stays as it is. Whoever asks for it may have
 * sent anything.
 */
export type OperationChanges = {
  readonly [K in 'rotationKeys' | 'alsoKnownAs' | 'verificationMethods' | 'services']?: unknown
}

/** What the directory says of an identity. */
export interface PlcData {
  readonly signingKey: string | undefined
  readonly pds: string | undefined
}

export interface PlcOptions {
  /** The directory's URL. */
  readonly url: string
  readonly fetch: Fetch
  /** The server's rotation key: it signs every operation made here. */
  readonly rotationKey: SigningKey
}

/** A creation operation and the DID that it makes. */
export interface NewPlcIdentity {
  readonly did: string
  readonly op: Operation
}

const MESSAGE_CHARACTERS_MAX = 300

export class Plc {
  readonly #url: string
  readonly #fetch: Fetch
  readonly #signer: Keypair

  constructor({ url, fetch, rotationKey }: PlcOptions) {
    this.#url = url
    this.#fetch = fetch
    this.#signer = {
      jwtAlg: rotationKey.algorithm,
      did: () => rotationKey.did,
      sign: async (message) => rotationKey.sign(message),
    }
  }

  /** The did:key of the server's rotation key. */
  get rotationKey(): string {
    return this.#signer.did()
  }

  /**
   * A creation operation, not yet sent.
   * @param identity `rotationKeys` come before the server's own, in order of authority
   */
  formatCreate(identity: {
    signingKey: string
    handle: string
    pds: string
    rotationKeys: readonly string[]
  }): Promise<NewPlcIdentity> {
    return createOp({
      ...identity,
      rotationKeys: [...identity.rotationKeys, this.rotationKey],
      signer: this.#signer,
    })
  }

  /**
   * Ends an identity for good.
   * @throws PlcError, DomainError
   */
  async tombstone(did: string): Promise<void> {
    const last = await this.#lastOperation(did)
    if (last.type === 'plc_tombstone') throw new DomainError('invalid', 'Did is tombstoned')
    await this.send(did, await tombstoneOp(cidToLink(cidForCbor(encode(last))), this.#signer))
  }

  /** @throws PlcError */
  async send(did: string, op: Operation | Tombstone): Promise<void> {
    await this.#request(`/${encodeURIComponent(did)}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(op),
    })
  }

  /**
   * Names a new handle in the identity's document.
   * @throws PlcError, DomainError
   */
  async updateHandle(did: string, handle: string): Promise<void> {
    const op = await this.#update(did, (last) => ({
      ...last,
      alsoKnownAs: [`at://${handle}`, ...last.alsoKnownAs.filter((name) => !name.startsWith('at://'))],
    }))
    await this.send(did, op)
  }

  /**
   * An update of the identity, signed and not yet sent.
   * @throws PlcError, DomainError
   */
  async formatUpdate(did: string, changes: OperationChanges): Promise<Operation> {
    const wanted = Object.entries(changes).filter(([, value]) => value != null)
    return this.parse(
      await this.#update(did, (last) => ({
        ...last,
        ...(Object.fromEntries(wanted) as Partial<UnsignedOperation>),
      })),
    )
  }

  /**
   * What the directory says of an identity now.
   * @throws PlcError
   */
  async data(did: string): Promise<PlcData> {
    const response = await this.#request(`/${encodeURIComponent(did)}/data`)
    const { verificationMethods, services } = await readJson<DocumentData>(
      response,
      ({ verificationMethods, services }) => isObject(verificationMethods) && isObject(services),
    )
    return { signingKey: verificationMethods.atproto, pds: services.atproto_pds?.endpoint }
  }

  /**
   * An operation out of what somebody sent. Whether its signature holds is for the directory to
   * say.
   * @throws DomainError
   */
  parse(value: unknown): Operation {
    const parsed = def.operation.safeParse(value)
    if (!parsed.success) throw new DomainError('invalid', 'Invalid operation')
    return parsed.data
  }

  /**
   * Whether an identity is over for good. False when the directory does not know it, or cannot be
   * asked.
   */
  async isTombstoned(did: string): Promise<boolean> {
    if (!did.startsWith('did:plc:')) return false
    try {
      return (await this.#lastOperation(did)).type === 'plc_tombstone'
    } catch (error) {
      if (error instanceof PlcError) return false
      throw error
    }
  }

  async #lastOperation(did: string): Promise<CompatibleOpOrTombstone> {
    const response = await this.#request(`/${encodeURIComponent(did)}/log/last`)
    return readJson<CompatibleOpOrTombstone>(response, ({ type }) => typeof type === 'string')
  }

  async #update(
    did: string,
    change: (last: UnsignedOperation) => Omit<UnsignedOperation, 'prev'>,
  ): Promise<Operation> {
    const last = await this.#lastOperation(did)
    if (last.type === 'plc_tombstone') throw new DomainError('invalid', 'Did is tombstoned')
    if ('rotationKeys' in last && !last.rotationKeys.includes(this.rotationKey)) {
      const message = 'This server has no rotation key of the identity: sign the operation with your own'
      throw new DomainError('invalid', message)
    }
    return createUpdateOp(last as CompatibleOp, this.#signer, change)
  }

  async #request(path: string, init?: RequestInit): Promise<Response> {
    let response: Response
    try {
      response = await this.#fetch(this.#url + path, init)
    } catch (cause) {
      throw new PlcError('the PLC directory could not be reached', undefined, { cause })
    }
    if (response.ok) return response
    const text = await response.text().catch(() => '')
    throw new PlcError(messageOf(text) ?? 'Unable to perform PLC operation', response.status)
  }
}

/**
 * What the directory says, if it is what was asked for: a proxy before it, or another server at its
 * address, may answer as well.
 * @throws PlcError
 */
async function readJson<T extends object>(
  response: Response,
  isAsked: (said: Partial<T>) => boolean,
): Promise<T> {
  let said: unknown
  try {
    said = await response.json()
  } catch (cause) {
    throw new PlcError('the PLC directory did not answer in JSON', undefined, { cause })
  }
  if (!isObject(said) || !isAsked(said as Partial<T>))
    throw new PlcError('the PLC directory answered something else than was asked')
  return said as T
}

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null

/** What the directory gives as the reason for a refusal. */
function messageOf(text: string): string | undefined {
  try {
    const { message } = JSON.parse(text) as { message?: unknown }
    return typeof message === 'string' ? message.slice(0, MESSAGE_CHARACTERS_MAX) : undefined
  } catch {
    return undefined
  }
}
