/** What the mails say. Plain text first; the HTML says the same. */
import type { Letter } from './outbox.ts'

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
    `-- \n${brand.serviceName}${brand.homeUrl === undefined ? '' : `\n${brand.homeUrl}`}`,
  ].join('\n\n')
  const color = escapeHtml(brand.primaryColor ?? COLOR)
  const name = escapeHtml(brand.serviceName)
  const logo =
    brand.logoUrl === undefined
      ? ''
      : `<p><img src="${escapeHtml(brand.logoUrl)}" alt="${name}" width="96"></p>`
  const button =
    link === undefined
      ? ''
      : `<p>Or <a href="${escapeHtml(link)}" style="color:${color}">open this page</a>.</p>`
  const signature =
    brand.homeUrl === undefined
      ? name
      : `<a href="${escapeHtml(brand.homeUrl)}" style="color:${color}">${name}</a>`
  const html = `<!doctype html>
<html lang="en"><body style="font-family:sans-serif;max-width:34em;margin:2em auto;padding:0 1em;line-height:1.5">
${logo}<p>${escapeHtml(lead(handle))}</p>
<p style="font:bold 1.6em monospace;letter-spacing:.05em;color:${color}">${escapeHtml(code)}</p>
${button}<p>${LIFETIME} ${escapeHtml(caution)}</p>
<p>${signature}</p>
</body></html>
`
  return { subject, text, html }
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
