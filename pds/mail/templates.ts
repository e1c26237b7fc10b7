/** What the mails say. Plain text first; the HTML says the same. */
import type { Letter } from './transport.ts'

/** What a mailed code is good for. */
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
  /** Before the code. */
  readonly lead: (handle: string) => string
  /** After it: what to do when one did not ask for it. */
  readonly caution: string
}

const IGNORE = 'If this was not you, ignore this mail: without the code nothing changes.'
const SOMEBODY_KNOWS =
  'If this was not you, somebody knows your password: change it, and do not pass this code on.'

const WORDING: Record<CodePurpose, Wording> = {
  confirm_email: {
    subject: 'Email Confirmation',
    lead: (handle) => `Enter this code to confirm that this is the address of ${handle}:`,
    caution: IGNORE,
  },
  update_email: {
    subject: 'Email Update Requested',
    lead: (handle) => `Enter this code to change the address or the sign-in settings of ${handle}:`,
    caution: SOMEBODY_KNOWS,
  },
  reset_password: {
    subject: 'Password Reset Requested',
    lead: (handle) => `Enter this code to choose a new password for ${handle}:`,
    caution: IGNORE,
  },
  delete_account: {
    subject: 'Account Deletion Requested',
    lead: (handle) => `Enter this code to delete ${handle} and everything in it, for good:`,
    caution: SOMEBODY_KNOWS,
  },
  plc_operation: {
    subject: 'PLC Update Operation Requested',
    lead: (handle) =>
      `Enter this code to change the identity of ${handle}, as when the account moves to another server. Whoever has it can take the identity away:`,
    caution: SOMEBODY_KNOWS,
  },
  sign_in: {
    subject: 'Sign-in Code',
    lead: (handle) => `Enter this code to sign in as ${handle}:`,
    caution: SOMEBODY_KNOWS,
  },
}

const LIFETIME = 'The code holds for 15 minutes.'
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

/** What becomes of an account: told to its owner before, and to the operator afterwards. */
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

/** The mail that says what becomes of an account. */
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
          `${handle} is deactivated, and will be deleted for good on ${day(notice.endsAt)}, with everything in it.`,
          'To keep it, sign in before that day and activate the account.',
          "If you didn't ask for this, someone may have access to your account: reset your password, then sign in and activate it.",
        ],
      }
    case 'move_stands_still':
      return {
        subject: 'Your Move Is Not Finished',
        paragraphs: [
          `${handle} began to move to ${service} and is not active there yet. What was copied so far will be removed on ${day(notice.endsAt)}.`,
          'To keep it, go on with the move before that day, or finish it: sign in and activate the account.',
          'Your account at its present home is not affected.',
        ],
      }
    case 'move_was_cleared':
      return {
        subject: 'An Unfinished Move Was Cleared',
        paragraphs: [
          `${handle} (${notice.did}) moved in, was never activated and stood still, so its repository and blobs were removed.`,
          'Its identity names this server. The account and its signing key are kept, and its owner can sign in and go on.',
        ],
      }
    case 'move_was_given_up':
      return {
        subject: 'An Unfinished Move Was Removed',
        paragraphs: [
          `${handle} (${notice.did}) began to move in, was never activated and stood still. Its identity lives elsewhere, so the account was removed.`,
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
