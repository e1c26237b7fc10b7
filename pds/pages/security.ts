/**
 * The page where an account's second factors are set up and removed, and all of its sessions ended,
 * by who is signed in on the browser and gives the password again.
 */
import { type Request, type Response, Router } from 'express'
import QRCode from 'qrcode'
import { awaited } from '#platform/express.ts'
import type { PasswordProof } from '../accounts/credentials/password-proofs.ts'
import {
  PASSKEY_NAME_CHARACTERS_MAX,
  PASSKEYS_MAX,
  SecondFactorError,
} from '../accounts/credentials/second-factors.ts'
import { AccountError, LoginError } from '../accounts/errors.ts'
import { TooManySignInsError } from '../oauth/device-sessions.ts'
import type { Services } from '../services.ts'
import { endingOf } from './ending.ts'
import { type Html, html, trusted } from './html.ts'
import { field, jsonField, type Pages, problem } from './page.ts'
import { SECOND_FACTOR_PATH, SECURITY_PATH } from './paths.ts'
import { scriptPath } from './scripts.ts'

type Parts = Pick<
  Services,
  'accounts' | 'passwordSignIn' | 'secondFactors' | 'passkeys' | 'passwordProofs' | 'sessions' | 'browsers'
>
type Account = NonNullable<ReturnType<Parts['accounts']['find']>>

/**
 * What the page says beside how things are: what was done, what went wrong, codes that are shown
 * once.
 */
interface Said {
  readonly good?: string
  readonly bad?: string
  readonly backupCodes?: readonly string[] | undefined
}

interface Visit {
  readonly account: Account
  /** The name of the proof of the password, which every form carries. */
  readonly proof: string
  readonly known: PasswordProof
}

export function securityPage(parts: Parts, pages: Pages): Router {
  const { accounts, passwordSignIn, secondFactors, passkeys, passwordProofs, sessions, browsers } = parts
  const router = Router()

  router.get(
    SECURITY_PATH,
    awaited((request, response) => askPassword(request, response)),
  )

  const change = async (request: Request, response: Response): Promise<void> => {
    const proof = field(request, 'proof')
    if (proof === '') return checkPassword(request, response)
    const known = passwordProofs.find(proof, 'settings')
    const account = known && accounts.find(known.did)
    // The proof is of the password, the cookies are of the browser: both are asked for.
    const isSignedIn = account && (await browsers.signedIn(request, response)).includes(account.did)
    if (known === undefined || account === undefined || !isSignedIn) {
      return askPassword(request, response, 'That took too long. Please enter your password again.')
    }
    const visit = { account, proof, known }
    const act = actions.get(field(request, 'action'))
    try {
      if (act === undefined) return await show(response, visit, {})
      await act(request, response, visit)
    } catch (error) {
      if (!(error instanceof SecondFactorError || error instanceof AccountError)) throw error
      const message =
        error instanceof AccountError ? `${error.message}.` : 'That was not accepted. Please try again.'
      await show(response, visit, { bad: message })
    }
  }
  router.post(SECURITY_PATH, awaited(change))

  const actions = new Map<string, (request: Request, response: Response, visit: Visit) => Promise<void>>([
    ['new-authenticator', (_, response, visit) => showNewAuthenticator(response, visit)],
    ['add-authenticator', addAuthenticator],
    [
      'remove-authenticator',
      async (_, response, visit) => {
        await secondFactors.removeAuthenticator(visit.account)
        await show(response, visit, { good: 'The authenticator app is removed.' })
      },
    ],
    ['add-passkey', addPasskey],
    [
      'remove-passkey',
      async (request, response, visit) => {
        await secondFactors.removePasskey(visit.account, field(request, 'id'))
        await show(response, visit, { good: 'The passkey is removed.' })
      },
    ],
    [
      'new-backup-codes',
      async (_, response, visit) => {
        const backupCodes = await secondFactors.renewBackupCodes(visit.account)
        await show(response, visit, { good: 'The old backup codes are worthless now.', backupCodes })
      },
    ],
    ['end-sessions', endSessions],
  ])

  return router

  async function addAuthenticator(request: Request, response: Response, visit: Visit): Promise<void> {
    const { account, known } = visit
    const secret = known.authenticatorSecret
    if (secret === undefined) return showNewAuthenticator(response, visit)
    try {
      const backupCodes = await secondFactors.addAuthenticator(account, secret, field(request, 'code').trim())
      known.authenticatorSecret = undefined
      await show(response, visit, { good: 'The authenticator app is set up.', backupCodes })
    } catch (error) {
      if (!(error instanceof SecondFactorError)) throw error
      await showNewAuthenticator(
        response,
        visit,
        'The app does not show this code now. Please try the next one.',
      )
    }
  }

  async function addPasskey(request: Request, response: Response, visit: Visit): Promise<void> {
    const { account, known } = visit
    const { challenge } = known
    known.challenge = undefined
    const answer = jsonField(request, 'answer')
    const backupCodes = await passkeys.add(account, challenge, answer, field(request, 'name'))
    await show(response, visit, { good: 'The passkey is set up.', backupCodes })
  }

  async function endSessions(_: Request, response: Response, { account, proof }: Visit): Promise<void> {
    await sessions.endAll(account)
    passwordProofs.end(proof)
    const body = html`<p class="notice good" role="status">Every app and every browser is signed out.</p>
<div class="actions"><a class="button" href="${SECOND_FACTOR_PATH}">Sign in</a></div>`
    pages.send(response, { title: 'Signed out everywhere', subtitle: nameOf(account), body })
  }

  async function askPassword(request: Request, response: Response, message?: string): Promise<void> {
    const found = (await browsers.signedIn(request, response)).flatMap((did) => accounts.find(did) ?? [])
    const [first] = found
    if (first === undefined) {
      const body = html`<p>Authenticator apps and passkeys are set up here. Sign in first; this browser then stays signed in.</p>
<div class="actions"><a class="button" href="${SECOND_FACTOR_PATH}">Sign in</a></div>`
      return pages.send(response, { title: 'Two-step sign-in', body })
    }
    const who =
      found.length === 1
        ? html`<input type="hidden" name="did" value="${first.did}">`
        : html`<fieldset><legend>Account</legend>${found.map(
            (account, n) =>
              html`<label class="choice"><input type="radio" name="did" value="${account.did}"${n === 0 && html` checked`}> ${nameOf(account)}</label>`,
          )}</fieldset>`
    const body = html`
${problem(message)}
<form method="post" action="${SECURITY_PATH}">
${who}
<input type="text" name="username" value="${first.handle ?? first.did}" autocomplete="username" hidden>
<label>Password
<input name="password" type="password" autocomplete="current-password" required autofocus></label>
<div class="actions"><button>Continue</button>
<a class="button second" href="/account">Back</a></div>
</form>`
    const subtitle = found.length === 1 ? nameOf(first) : 'Enter your password again'
    pages.send(response, {
      title: 'Two-step sign-in',
      subtitle,
      body,
      status: message === undefined ? 200 : 401,
    })
  }

  async function checkPassword(request: Request, response: Response): Promise<void> {
    const did = field(request, 'did')
    if (!(await browsers.signedIn(request, response)).includes(did)) return askPassword(request, response)
    try {
      await browsers.countSignIn(request, response, did)
      const { account, appPassword } = await passwordSignIn.login(did, field(request, 'password'))
      if (appPassword !== undefined) throw new LoginError()
      const proof = passwordProofs.give(account, 'settings')
      await show(response, { account, proof, known: passwordProofs.find(proof, 'settings')! }, {})
    } catch (error) {
      if (error instanceof TooManySignInsError) return askPassword(request, response, error.message)
      if (!(error instanceof LoginError)) throw error
      await askPassword(request, response, 'This is not the password.')
    }
  }

  async function showNewAuthenticator(response: Response, visit: Visit, message?: string): Promise<void> {
    const { secret, text, uri } = secondFactors.newAuthenticator(
      visit.account,
      visit.known.authenticatorSecret,
    )
    visit.known.authenticatorSecret = secret
    const picture = await QRCode.toString(uri, { type: 'svg', margin: 0 })
    const body = html`
${problem(message)}
<p>Scan this with your authenticator app, then enter the code that it shows.</p>
<div class="qr" role="img" aria-label="QR code with the secret for your authenticator app">${trusted(picture)}</div>
<p><small>On this phone, <a href="${uri}">open it in the app</a>; or type the secret: <code>${groups(text)}</code></small></p>
${form(
  visit,
  'add-authenticator',
  html`<label>Code
<input name="code" inputmode="numeric" autocomplete="one-time-code" required autofocus></label>
<button>Set up</button>`,
)}
${form(visit, 'show', html`<button class="second">Cancel</button>`)}`
    pages.send(response, { title: 'Authenticator app', subtitle: nameOf(visit.account), body })
  }

  async function show(response: Response, visit: Visit, { good, bad, backupCodes }: Said): Promise<void> {
    const { account, known } = visit
    const overview = secondFactors.overview(account.id)
    const options = await passkeys.creationOptions(account)
    known.challenge = options.challenge
    const ending = endingOf(account)
    const body = html`
${ending !== undefined && html`<p class="notice bad" role="status">${ending}</p>`}
${good !== undefined && html`<p class="notice good" role="status">${good}</p>`}
${problem(bad)}
${backupCodes !== undefined && newBackupCodes(backupCodes)}
${authenticatorSection(visit, overview.authenticatorSince)}
${passkeySection(visit, overview.passkeys, JSON.stringify(options))}
${
  (overview.authenticatorSince !== undefined || overview.passkeys.length > 0) &&
  backupCodeSection(visit, overview.backupCodes)
}
${sessionsSection(visit)}
<footer><a href="/account">Back to your account</a></footer>`
    pages.send(response, {
      title: 'Two-step sign-in',
      subtitle: nameOf(account),
      body,
      script: scriptPath('passkey'),
      isWide: true,
      status: bad === undefined ? 200 : 400,
    })
  }
}

/** A form that changes something, for who proved the password. */
const form = ({ proof }: Visit, action: string, content: Html): Html =>
  html`<form method="post" action="${SECURITY_PATH}"><input type="hidden" name="proof" value="${proof}"><input type="hidden" name="action" value="${action}">
${content}</form>`

const newBackupCodes = (codes: readonly string[]): Html => html`<section aria-labelledby="new-codes">
<h2 id="new-codes">Your backup codes</h2>
<p>Write these down now; they are not shown again. Each signs you in once when you have neither app nor passkey.</p>
<ul class="codes">${codes.map((code) => html`<li>${code}</li>`)}</ul>
</section>`

const authenticatorSection = (
  visit: Visit,
  since: string | undefined,
): Html => html`<section aria-labelledby="app">
<h2 id="app">Authenticator app</h2>
${
  since === undefined
    ? html`<p class="quiet">An app on your phone shows a new code every half minute.</p>
${form(visit, 'new-authenticator', html`<button>Set up an app</button>`)}`
    : html`<ul class="rows"><li><div>Set up<small>on ${day(since)}</small></div>
${form(visit, 'remove-authenticator', html`<button class="away">Remove</button>`)}</li></ul>
${form(visit, 'new-authenticator', html`<button class="second">Set up another in its place</button>`)}`
}
</section>`

const passkeySection = (
  visit: Visit,
  passkeys: readonly { id: string; name: string; createdAt: string; lastUsedAt: string | null }[],
  options: string,
): Html => html`<section aria-labelledby="passkeys">
<h2 id="passkeys">Passkeys</h2>
<p class="quiet">Your phone, computer or security key confirms a sign-in in the browser.</p>
${
  passkeys.length > 0 &&
  html`<ul class="rows">${passkeys.map(
    ({ id, name, createdAt, lastUsedAt }) => html`<li><div>${name}
<small>${lastUsedAt === null ? `set up on ${day(createdAt)}, not used yet` : `last used on ${day(lastUsedAt)}`}</small></div>
${form(
  visit,
  'remove-passkey',
  html`<input type="hidden" name="id" value="${id}"><button class="away" aria-label="Remove ${name}">Remove</button>`,
)}</li>`,
  )}</ul>`
}
${
  passkeys.length < PASSKEYS_MAX &&
  html`<form method="post" action="${SECURITY_PATH}" data-passkey-create="${options}" hidden>
<input type="hidden" name="proof" value="${visit.proof}"><input type="hidden" name="action" value="add-passkey"><input type="hidden" name="answer">
<label>Name
<input name="name" maxlength="${PASSKEY_NAME_CHARACTERS_MAX}" placeholder="My phone" autocomplete="off" required></label>
<button>Add a passkey</button>
<p class="notice bad" role="alert" hidden>No passkey was made. You can try again.</p>
</form>`
}
</section>`

const backupCodeSection = (visit: Visit, left: number): Html => html`<section aria-labelledby="codes">
<h2 id="codes">Backup codes</h2>
<p class="quiet">${left === 1 ? 'One code is' : `${left} codes are`} left.</p>
${form(visit, 'new-backup-codes', html`<button class="second">Make new ones</button>`)}
</section>`

const sessionsSection = (visit: Visit): Html => html`<section aria-labelledby="sessions">
<h2 id="sessions">Sessions</h2>
<p class="quiet">Ends your sessions in every app and browser, this one too. App passwords keep working until you remove them in your app, or reset your password.</p>
${form(visit, 'end-sessions', html`<button class="away">Sign out everywhere</button>`)}
</section>`

const nameOf = ({ handle, did }: Account): string => (handle === null ? did : `@${handle}`)
const groups = (text: string): string => text.replace(/(.{4})(?=.)/g, '$1 ')
const day = (time: string): string =>
  new Date(time).toLocaleDateString('en-GB', {
    day: 'numeric',
    month: 'long',
    year: 'numeric',
    timeZone: 'UTC',
  })
