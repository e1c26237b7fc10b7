/** Rejects the library's sign-in for accounts with a second factor that it does not support. */
import { OAuthError } from '@atproto/oauth-provider/errors'

/** The error name that the script on the library's pages looks for: `pages/browser/sign-in.ts`. */
const SECOND_STEP_REQUIRED = 'second_step_required'

/** The password is correct; the sign-in continues on our page, with a proof of the password. */
export class SecondStepRequiredError extends OAuthError {
  readonly proof: string

  /** @param proof the name of a proof that the password is known */
  constructor(proof: string) {
    super(
      SECOND_STEP_REQUIRED,
      'This account signs in with an authenticator app or a passkey: go on at /account/second-factor',
      401,
    )
    this.proof = proof
  }

  override toJSON() {
    return { ...super.toJSON(), proof: this.proof }
  }
}
