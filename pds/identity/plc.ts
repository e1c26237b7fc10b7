/** did:plc: making identities and updating them in a PLC directory. https://web.plc.directory/spec/v0.1/did-plc */
import type { Keypair } from '@atproto/crypto'
import { type CompatibleOp, createOp, createUpdateOp, type Operation } from '@did-plc/lib'
import type { Fetch } from '#platform/fetch.ts'
import type { SigningKey } from '#protocol/keys.ts'

/** The directory refused an operation, or could not be asked. */
export class PlcError extends Error {
  override name = 'PlcError'
  /** The directory's HTTP status; undefined when there was no answer. */
  readonly status: number | undefined
  constructor(message: string, status?: number, options?: ErrorOptions) {
    super(message, options)
    this.status = status
  }
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

  /** @throws PlcError */
  async send(did: string, op: Operation): Promise<void> {
    await this.#request(`/${encodeURIComponent(did)}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(op),
    })
  }

  /**
   * Names a new handle in the identity's document.
   * @throws PlcError
   */
  async updateHandle(did: string, handle: string): Promise<void> {
    const response = await this.#request(`/${encodeURIComponent(did)}/log/last`)
    const lastOp = (await response.json()) as CompatibleOp
    const op = await createUpdateOp(lastOp, this.#signer, (last) => ({
      ...last,
      alsoKnownAs: [`at://${handle}`, ...last.alsoKnownAs.filter((name) => !name.startsWith('at://'))],
    }))
    await this.send(did, op)
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
    throw new PlcError(
      `the PLC directory answered ${response.status}: ${text.slice(0, MESSAGE_CHARACTERS_MAX)}`,
      response.status,
    )
  }
}
