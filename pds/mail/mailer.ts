/** Mails of this server: codes, notices, and messages of moderators. Never in a transaction. */
import { htmlToText } from 'html-to-text'
import { type AccountNotice, type Brand, type CodeMail, codeLetter, noticeLetter } from './templates.ts'
import type { Outbox } from './transport.ts'

export interface MailerOptions {
  readonly outbox: Outbox
  /** Where the moderators' mails leave. */
  readonly moderation: Outbox
  readonly brand: Brand
  /** Whether mails that confirm an address carry a link to a page that takes the code. */
  readonly confirmationLink: boolean
}

const CONFIRMATION_PAGE = 'https://bsky.app/intent/verify-email?code='
const LINE_CHARACTERS_MAX = 100

export class Mailer implements Disposable {
  readonly #options: MailerOptions

  constructor(options: MailerOptions) {
    this.#options = options
  }

  /** Mails a code. Rejects if the mail server did not accept it. */
  async sendCode(to: string, mail: Omit<CodeMail, 'link'>): Promise<void> {
    const { outbox, brand, confirmationLink } = this.#options
    const linked = confirmationLink && mail.purpose === 'confirm_email'
    const link = linked ? CONFIRMATION_PAGE + encodeURIComponent(mail.code) : undefined
    await outbox.send(to, codeLetter({ ...mail, link }, brand))
  }

  /** Mails a notice about an account. Rejects if the mail server did not accept it. */
  async sendNotice(to: string, notice: AccountNotice): Promise<void> {
    const { outbox, brand } = this.#options
    await outbox.send(to, noticeLetter(notice, brand))
  }

  /** Mails a moderator's message, which is HTML. */
  async sendFromModerators(to: string, { subject, html }: { subject: string; html: string }): Promise<void> {
    const text = htmlToText(html, { wordwrap: LINE_CHARACTERS_MAX })
    await this.#options.moderation.send(to, { subject, html, text })
  }

  [Symbol.dispose](): void {
    this.#options.outbox[Symbol.dispose]()
    this.#options.moderation[Symbol.dispose]()
  }
}
