/**
 * Where mails leave: over SMTP, or, on a server without it, into the operator's log. What they say
 * is in `letters.ts`.
 */

import { createTransport, type Transporter } from 'nodemailer'
import { DomainError } from '#platform/errors.ts'
import type { Logger } from '#platform/log.ts'

/** A mail that did not leave. Why is for the operator: whoever waits for it cannot help it. */
export class MailError extends DomainError {
  override name = 'MailError'
  constructor(options: ErrorOptions) {
    super('upstreamFailed', 'The mail could not be sent. Please try again later.', undefined, {
      ...options,
      isLogged: true,
    })
  }
}

/** A mail without its addressee. */
export interface Letter {
  readonly subject: string
  readonly text: string
  readonly html: string
}

export interface Outbox extends Disposable {
  /**
   * Resolves when the mail is on its way. @throws MailError when the mail server did not take it
   */
  send(to: string, letter: Letter): Promise<void>
}

export interface SmtpSettings {
  /** `smtps://user:password@mail.example.org`; nodemailer's options can stand in its query. */
  readonly url: string
  /** The sender: an address, or a name and an address. */
  readonly from: string
}

const CONNECT_MS_MAX = 10_000
const GREETING_MS_MAX = 10_000
const SILENCE_MS_MAX = 30_000

export class SmtpOutbox implements Outbox {
  readonly #transport: Transporter
  readonly #from: string
  readonly #server: string
  readonly #log: Logger

  constructor({ url, from }: SmtpSettings, log: Logger) {
    this.#transport = createTransport(withTimeLimits(url))
    this.#from = from
    this.#server = new URL(url).host
    this.#log = log
  }

  async send(to: string, letter: Letter): Promise<void> {
    const sent = this.#transport.sendMail({
      ...letter,
      from: this.#from,
      // Not as text, which would be parsed: it is one address, whatever stands in it.
      to: { name: '', address: to },
      disableFileAccess: true,
      disableUrlAccess: true,
    })
    await sent.catch((cause: unknown) => {
      const todo =
        'see whether the mail server runs and takes mail of that sender: PDS_EMAIL_SMTP_URL, PDS_EMAIL_FROM_ADDRESS (for moderators PDS_MODERATION_EMAIL_SMTP_URL, PDS_MODERATION_EMAIL_ADDRESS)'
      this.#log.error({ err: cause, server: this.#server, from: this.#from, todo }, 'a mail did not leave')
      throw new MailError({ cause })
    })
  }

  [Symbol.dispose](): void {
    this.#transport.close()
  }
}

/** Limits of time where the operator set none: somebody waits for the answer. */
function withTimeLimits(url: string): string {
  const limited = new URL(url)
  for (const [name, ms] of [
    ['connectionTimeout', CONNECT_MS_MAX],
    ['greetingTimeout', GREETING_MS_MAX],
    ['socketTimeout', SILENCE_MS_MAX],
  ] as const) {
    if (!limited.searchParams.has(name)) limited.searchParams.set(name, String(ms))
  }
  return limited.href
}

/** Mails for the operator to read and pass on. Nothing else writes a code into a log. */
export class LogOutbox implements Outbox {
  readonly #log: Logger

  constructor(log: Logger) {
    this.#log = log
  }

  async send(to: string, { subject, text }: Letter): Promise<void> {
    const message = 'a mail that is not sent, because PDS_EMAIL_SMTP_URL is not set'
    const todo = 'set PDS_EMAIL_SMTP_URL and PDS_EMAIL_FROM_ADDRESS, or pass the mail on'
    if (this.#log.isLevelEnabled('warn')) this.#log.warn({ todo, to, subject, text }, message)
    // A server whose logs are off still has a screen, and the code must not be lost.
    else console.warn(`${message}\nTo: ${to}\nSubject: ${subject}\n\n${text}`)
  }

  [Symbol.dispose](): void {}
}
