/**
 * The WebAuthn ceremonies of passkeys. https://www.w3.org/TR/webauthn-3/
 *
 * Passkeys are second factors: the password comes first, so neither user verification nor a
 * discoverable credential is required.
 */
import {
  type AuthenticationResponseJSON,
  generateAuthenticationOptions,
  generateRegistrationOptions,
  type PublicKeyCredentialCreationOptionsJSON,
  type PublicKeyCredentialRequestOptionsJSON,
  type RegistrationResponseJSON,
  verifyAuthenticationResponse,
  verifyRegistrationResponse,
} from '@simplewebauthn/server'
import type { Account } from '../../store/accounts.ts'
import type { Passkey } from '../../store/second-factors.ts'
import { PASSKEY_NAME_CHARACTERS_MAX, SecondFactorError, type SecondFactors } from './second-factors.ts'

type Transports = RegistrationResponseJSON['response']['transports']

/**
 * Ed25519, P-256 and RSA, as COSE numbers them, in order of preference. The library's other
 * algorithms are experimental in Node.
 */
const ALGORITHMS = [-8, -7, -257]

export class Passkeys {
  readonly #factors: SecondFactors
  readonly #origin: string
  readonly #host: string
  readonly #service: string

  /**
   * @param options `publicUrl`: the keys are bound to its host; `service` is what browsers call it
   */
  constructor(factors: SecondFactors, { publicUrl, service }: { publicUrl: string; service: string }) {
    const { origin, hostname } = new URL(publicUrl)
    this.#factors = factors
    this.#origin = origin
    this.#host = hostname
    this.#service = service
  }

  /** What a browser is asked to make a key for an account. The challenge in it is for `add`. */
  creationOptions({ id, did, handle }: Account): Promise<PublicKeyCredentialCreationOptionsJSON> {
    return generateRegistrationOptions({
      rpName: this.#service,
      rpID: this.#host,
      userID: new Uint8Array(Buffer.from(did)),
      userName: handle ?? did,
      userDisplayName: handle ?? did,
      attestationType: 'none',
      supportedAlgorithmIDs: ALGORITHMS,
      excludeCredentials: this.#factors.passkeys(id).map(describe),
      authenticatorSelection: { residentKey: 'discouraged', userVerification: 'preferred' },
    })
  }

  /**
   * Gives an account the key that a browser made.
   * @param challenge of the options; undefined when there was none, or it was answered already
   * @param answer of the browser, as it came
   * @returns new backup codes, when the account has none
   * @throws SecondFactorError, AccountError
   */
  async add(
    account: Account,
    challenge: string | undefined,
    answer: unknown,
    name: string,
  ): Promise<string[] | undefined> {
    if (challenge === undefined) throw new SecondFactorError('InvalidToken')
    const verification = await orRefuse(() =>
      verifyRegistrationResponse({
        response: answer as RegistrationResponseJSON,
        expectedChallenge: challenge,
        expectedOrigin: this.#origin,
        expectedRPID: this.#host,
        requireUserVerification: false,
        supportedAlgorithmIDs: ALGORITHMS,
      }),
    )
    if (!verification.verified) throw new SecondFactorError('InvalidToken')
    const { id, publicKey, counter, transports = [] } = verification.registrationInfo.credential
    return this.#factors.addPasskey(account, {
      id,
      publicKey: Buffer.from(publicKey),
      counter,
      transports: transports.join(','),
      name: name.trim().slice(0, PASSKEY_NAME_CHARACTERS_MAX) || 'Passkey',
    })
  }

  /** Options for a browser to prove that it has a passkey. `assertAnswer` needs their challenge. */
  requestOptions({ id }: Account): Promise<PublicKeyCredentialRequestOptionsJSON> {
    return generateAuthenticationOptions({
      rpID: this.#host,
      allowCredentials: this.#factors.passkeys(id).map(describe),
      userVerification: 'preferred',
    })
  }

  /**
   * Verifies that a browser has a passkey of the account. The caller uses a challenge only once.
   * @throws SecondFactorError
   */
  async assertAnswer({ id }: Account, challenge: string | undefined, answer: unknown): Promise<void> {
    const response = answer as AuthenticationResponseJSON
    const passkey = this.#factors.passkeys(id).find((passkey) => passkey.id === response?.id)
    if (passkey === undefined || challenge === undefined) throw new SecondFactorError('InvalidToken')
    const { verified, authenticationInfo } = await orRefuse(() =>
      verifyAuthenticationResponse({
        response,
        expectedChallenge: challenge,
        expectedOrigin: this.#origin,
        expectedRPID: this.#host,
        requireUserVerification: false,
        credential: {
          id: passkey.id,
          publicKey: new Uint8Array(passkey.publicKey),
          counter: passkey.counter,
          transports: transportsOf(passkey),
        },
      }),
    )
    if (!verified) throw new SecondFactorError('InvalidToken')
    await this.#factors.passkeyUsed(id, passkey.id, authenticationInfo.newCounter)
  }
}

const transportsOf = ({ transports }: Passkey) => transports.split(',').filter(Boolean) as Transports
const describe = (passkey: Passkey) => ({ id: passkey.id, transports: transportsOf(passkey) })

/** The library says by throwing what is wrong with an answer. */
async function orRefuse<T>(check: () => Promise<T>): Promise<T> {
  try {
    return await check()
  } catch (cause) {
    throw new SecondFactorError('InvalidToken', { cause })
  }
}
