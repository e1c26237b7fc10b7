/** The refusal of the library's own sign-in for accounts with a second factor that it does not know. */
import { OAuthError } from '@atproto/oauth-provider/errors'

/** The error's name, which the script on the library's pages waits for: `pages/browser/sign-in.ts`. */
const SECOND_STEP_REQUIRED = 'second_step_required'

/** The password is right, and the rest of the sign-in is on a page of ours, to which the proof of the password goes. */
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
