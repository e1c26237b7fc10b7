/** What the mails say. Plain text first; the HTML says the same. */
import type { Letter } from './transport.ts'

/** What a mailed code allows. */
export type CodePurpose =
  | 'confirm_email'
  | 'update_email'
  | 'reset_password'
  | 'delete_account'
  | 'plc_operation'
  | 'sign_in'

/** How the operator presents the server. */
export interface Brand {
  readonly serviceName: string
  readonly homeUrl: string | undefined
  readonly logoUrl: string | undefined
  /** A CSS color. */
  readonly primaryColor: string | undefined
}

export interface CodeMail {
  readonly purpose: CodePurpose
  readonly code: string
  /** The account's, or its address when it has none. */
  readonly handle: string
  /** A page that takes the code without typing. */
  readonly link?: string
}

interface Wording {
  readonly subject: string
  /** Stands before the code. */
  readonly lead: (handle: string) => string
  /** Stands after it: what to do if you did not request it. */
  readonly caution: string
}

const IGNORE = "If you didn't request this, ignore this email. Nothing changes without the code."
const CHANGE_PASSWORD =
  "If you didn't request this, someone may know your password. Change it, and don't share this code."

const WORDING: Record<CodePurpose, Wording> = {
  confirm_email: {
    subject: 'Email Confirmation',
    lead: (handle) => `Enter this code to confirm this email address for ${handle}:`,
    caution: IGNORE,
  },
  update_email: {
    subject: 'Email Update Requested',
    lead: (handle) => `Enter this code to change the email address or sign-in settings of ${handle}:`,
    caution: CHANGE_PASSWORD,
  },
  reset_password: {
    subject: 'Password Reset Requested',
    lead: (handle) => `Enter this code to set a new password for ${handle}:`,
    caution: IGNORE,
  },
  delete_account: {
    subject: 'Account Deletion Requested',
    lead: (handle) => `Enter this code to permanently delete ${handle} and everything in it:`,
    caution: CHANGE_PASSWORD,
  },
  plc_operation: {
    subject: 'PLC Update Operation Requested',
    lead: (handle) =>
      `Enter this code to change the identity of ${handle}, for example to move the account to another server. Anyone who has this code can take over the identity:`,
    caution: CHANGE_PASSWORD,
  },
  sign_in: {
    subject: 'Sign-in Code',
    lead: (handle) => `Enter this code to sign in as ${handle}:`,
    caution: CHANGE_PASSWORD,
  },
}

const LIFETIME = 'The code is valid for 15 minutes.'
const COLOR = '#067df7'

/** The mail that carries a code. */
export function codeLetter({ purpose, code, handle, link }: CodeMail, brand: Brand): Letter {
  const { subject, lead, caution } = WORDING[purpose]
  const text = [
    lead(handle),
    `    ${code}`,
    ...(link === undefined ? [] : [`Or open this page: ${link}`]),
    `${LIFETIME} ${caution}`,
    signatureText(brand),
  ].join('\n\n')
  const color = colorOf(brand)
  const button =
    link === undefined
      ? ''
      : `<p>Or <a href="${escapeHtml(link)}" style="color:${color}">open this page</a>.</p>`
  const html = page(
    brand,
    `<p>${escapeHtml(lead(handle))}</p>
<p style="font:bold 1.6em monospace;letter-spacing:.05em;color:${color}">${escapeHtml(code)}</p>
${button}<p>${LIFETIME} ${escapeHtml(caution)}</p>`,
  )
  return { subject, text, html }
}

/** What happens to an account: the owner is notified before, the operator afterwards. */
export type AccountNotice =
  | {
      readonly kind: 'account_will_be_deleted' | 'move_stands_still'
      readonly handle: string
      /** ISO 8601. */
      readonly endsAt: string
    }
  | {
      readonly kind: 'move_was_cleared' | 'move_was_given_up'
      readonly handle: string
      readonly did: string
    }

/** The mail that says what happens to an account. */
export function noticeLetter(notice: AccountNotice, brand: Brand): Letter {
  const { subject, paragraphs } = noticeWording(notice, brand.serviceName)
  const text = [...paragraphs, signatureText(brand)].join('\n\n')
  const html = page(brand, paragraphs.map((paragraph) => `<p>${escapeHtml(paragraph)}</p>`).join('\n'))
  return { subject, text, html }
}

function noticeWording(notice: AccountNotice, service: string): { subject: string; paragraphs: string[] } {
  const { handle } = notice
  switch (notice.kind) {
    case 'account_will_be_deleted':
      return {
        subject: 'Your Account Will Be Deleted',
        paragraphs: [
          `${handle} is deactivated. On ${day(notice.endsAt)} it will be permanently deleted, with everything in it.`,
          'To keep it, sign in before then and reactivate the account.',
          "If you didn't request this, someone may have access to your account. Reset your password, then sign in and reactivate the account.",
        ],
      }
    case 'move_stands_still':
      return {
        subject: 'Your Move Is Not Finished',
        paragraphs: [
          `The move of ${handle} to ${service} was started but not finished. On ${day(notice.endsAt)}, everything copied so far will be removed.`,
          'To keep it, continue the move before then, or finish it by signing in and activating the account.',
          'Your account on its current server is not affected.',
        ],
      }
    case 'move_was_cleared':
      return {
        subject: 'An Unfinished Move Was Cleared',
        paragraphs: [
          `${handle} (${notice.did}) started to move here, was never activated, and made no progress, so its repository and blobs were removed.`,
          'Its identity points to this server, so the account and its signing key are kept. The owner can sign in and continue.',
        ],
      }
    case 'move_was_given_up':
      return {
        subject: 'An Unfinished Move Was Removed',
        paragraphs: [
          `${handle} (${notice.did}) started to move here, was never activated, and made no progress. Its identity points to another server, so the account was removed.`,
        ],
      }
  }
}

const day = (time: string): string =>
  new Date(time).toLocaleDateString('en-GB', { dateStyle: 'long', timeZone: 'UTC' })

const signatureText = ({ serviceName, homeUrl }: Brand): string =>
  `-- \n${serviceName}${homeUrl === undefined ? '' : `\n${homeUrl}`}`

const colorOf = (brand: Brand): string => escapeHtml(brand.primaryColor ?? COLOR)

/** A mail's HTML: the operator's logo, what it says, and who says it. */
function page(brand: Brand, body: string): string {
  const name = escapeHtml(brand.serviceName)
  const logo =
    brand.logoUrl === undefined
      ? ''
      : `<p><img src="${escapeHtml(brand.logoUrl)}" alt="${name}" width="96"></p>`
  const signature =
    brand.homeUrl === undefined
      ? name
      : `<a href="${escapeHtml(brand.homeUrl)}" style="color:${colorOf(brand)}">${name}</a>`
  return `<!doctype html>
<html lang="en"><body style="font-family:sans-serif;max-width:34em;margin:2em auto;padding:0 1em;line-height:1.5">
${logo}${body}
<p>${signature}</p>
</body></html>
`
}

const ENTITIES = new Map([
  ['&', '&amp;'],
  ['<', '&lt;'],
  ['>', '&gt;'],
  ['"', '&quot;'],
  ["'", '&#39;'],
])

const escapeHtml = (text: string): string =>
  text.replace(/[&<>"']/g, (character) => ENTITIES.get(character) ?? '')
