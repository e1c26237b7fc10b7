/**
 * Proofs that a user knows an account's password, for the minutes that it takes to enter a second
 * factor or to change second factors. A proof is a random name known only to that user; proofs are
 * kept in memory, so a restart asks for the password again.
 */

import { randomBytes } from 'node:crypto'
import { MINUTE_MS } from '#platform/time.ts'
import type { Account } from '../../store/accounts.ts'

/** What a proof is good for. */
export type ProofPurpose = 'sign-in' | 'settings'

export interface PasswordProof {
  readonly did: string
  readonly purpose: ProofPurpose
  readonly expiresAtMs: number
  /** What a passkey was asked to sign; taken when it answers. */
  challenge: string | undefined
  /** The secret of an authenticator app that is being set up. */
  authenticatorSecret: Buffer | undefined
}

const LIFETIME_MINUTES = 10
const PROOFS_MAX = 10_000
/** Proofs per account. More evict the account's own, never another account's. */
const PROOFS_OF_ACCOUNT_MAX = 10
const NAME_BYTES = 24

export class PasswordProofs {
  /** In the order in which they end. */
  readonly #proofs = new Map<string, PasswordProof>()

  /** A new proof's name, after the password was found right. */
  give({ did }: Pick<Account, 'did'>, purpose: ProofPurpose): string {
    for (const [name, { expiresAtMs }] of this.#proofs) {
      if (expiresAtMs > Date.now() && this.#proofs.size < PROOFS_MAX) break
      this.#proofs.delete(name)
    }
    const own = [...this.#proofs].filter(([, proof]) => proof.did === did)
    for (const [name] of own.slice(0, Math.max(own.length - PROOFS_OF_ACCOUNT_MAX + 1, 0))) this.end(name)
    const name = randomBytes(NAME_BYTES).toString('base64url')
    const expiresAtMs = Date.now() + LIFETIME_MINUTES * MINUTE_MS
    this.#proofs.set(name, {
      did,
      purpose,
      expiresAtMs,
      challenge: undefined,
      authenticatorSecret: undefined,
    })
    return name
  }

  /** The proof of a name; undefined when it is over, or good for something else. */
  find(name: string, purpose: ProofPurpose): PasswordProof | undefined {
    const proof = this.#proofs.get(name)
    return proof?.purpose === purpose && proof.expiresAtMs > Date.now() ? proof : undefined
  }

  /** Ends every proof of an account: its password is another one now. */
  endOfAccount({ did }: Pick<Account, 'did'>): void {
    for (const [name, proof] of this.#proofs) if (proof.did === did) this.#proofs.delete(name)
  }

  /** Ends a proof. */
  end(name: string): void {
    this.#proofs.delete(name)
  }
}
