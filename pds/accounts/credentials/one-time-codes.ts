/**
 * One-time codes of an authenticator app (TOTP, https://www.rfc-editor.org/rfc/rfc6238), with the
 * parameters that every app supports: SHA-1, six digits, 30 seconds.
 */
import { Secret, TOTP } from 'otpauth'

const SECRET_BYTES = 20
const STEP_SECONDS = 30
/** How many steps a phone's clock may be off, either way. */
const STEPS_OFF_MAX = 1

const FORM = { algorithm: 'SHA1', digits: 6, period: STEP_SECONDS }

/** What an authenticator app is set up with. */
export interface AuthenticatorSetup {
  readonly secret: Buffer
  /** The secret as it is typed: base32. */
  readonly text: string
  /** What a QR code says. https://github.com/google/google-authenticator/wiki/Key-Uri-Format */
  readonly uri: string
}

/**
 * What sets an app up for an account, which it is to show as `issuer (label)`.
 * @param known a secret that was made already; left out, one is made
 */
export function newAuthenticator(issuer: string, label: string, known?: Buffer): AuthenticatorSetup {
  const secret = known === undefined ? new Secret({ size: SECRET_BYTES }) : secretOf(known)
  const uri = new TOTP({ ...FORM, issuer, label, secret }).toString()
  return { secret: Buffer.from(secret.bytes), text: secret.base32, uri }
}

/** Whether a text has the form of a one-time code. */
export const isOneTimeCode = (text: string): boolean => /^\d{6}$/.test(text)

/** The time step that a code is of, about now; undefined when the secret makes no such code. */
export function stepOf(secret: Buffer, code: string): number | undefined {
  const timestamp = Date.now()
  const totp = new TOTP({ ...FORM, secret: secretOf(secret) })
  const delta = totp.validate({ token: code, timestamp, window: STEPS_OFF_MAX })
  return delta === null ? undefined : totp.counter({ timestamp }) + delta
}

const secretOf = (bytes: Buffer): Secret => new Secret({ buffer: new Uint8Array(bytes).buffer })
