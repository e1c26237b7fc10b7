/**
 * The step that accounts with an authenticator app or a passkey sign in through, which the OAuth
 * library's sign-in sends here: password and second factor are checked, the browser is signed in,
 * and its person goes back to the page that he came from. Every other account can sign in here too.
 */
import { type Request, type Response, Router } from 'express'
import { awaited } from '#platform/express.ts'
import { EmailTokenError } from '../accounts/credentials/email-tokens.ts'
import { SecondFactorError } from '../accounts/credentials/second-factors.ts'
import { LoginError } from '../accounts/errors.ts'
import { IDENTIFIER_CHARACTERS_MAX } from '../limits/sign-ins.ts'
import { TooManySignInsError } from '../oauth/device-sessions.ts'
import type { Services } from '../services.ts'
import { html } from './html.ts'
import { field, jsonField, type Pages, problem } from './page.ts'
import { SECOND_FACTOR_PATH, SECURITY_PATH } from './paths.ts'
import { scriptPath } from './scripts.ts'

const HOME = '/account'
const PAGES_BEFORE: readonly string[] = ['/oauth/authorize', SECURITY_PATH]

type Parts = Pick<
  Services,
  'accounts' | 'passwordSignIn' | 'secondFactors' | 'passkeys' | 'passwordProofs' | 'browsers' | 'config'
>

export function secondFactorStep(parts: Parts, pages: Pages): Router {
  const { accounts, passwordSignIn, secondFactors, passkeys, passwordProofs, browsers } = parts
  const { origin } = new URL(parts.config.publicUrl)
  const router = Router()

  router.get(SECOND_FACTOR_PATH, (request, response) => {
    askPassword(response, { back: wayBack(request.headers.referer, origin) })
  })

  const goOn = async (request: Request, response: Response): Promise<void> => {
    const back = wayBack(field(request, 'return'), origin)
    const proof = field(request, 'proof')
    if (proof === '') return checkPassword(request, response, back)
    const known = passwordProofs.find(proof, 'sign-in')
    const account = known && accounts.find(known.did)
    if (known === undefined || account === undefined || account.takedownRef !== null) {
      return askPassword(response, { back, problem: 'That took too long. Please enter your password again.' })
    }
    const code = field(request, 'code')
    const answer = field(request, 'answer')
    if (code === '' && answer === '') return askFactor(response, { back, proof })
    try {
      if (answer === '') await secondFactors.assertAtSignIn(account, code)
      else {
        const { challenge } = known
        known.challenge = undefined
        await passkeys.assertAnswer(account, challenge, jsonField(request, 'answer'))
      }
    } catch (error) {
      if (!(error instanceof SecondFactorError || error instanceof EmailTokenError)) throw error
      return askFactor(response, { back, proof, problem: messageOf(error, answer !== '') })
    }
    passwordProofs.end(proof)
    await letIn(request, response, account, back)
  }
  router.post(SECOND_FACTOR_PATH, awaited(goOn))

  return router

  async function letIn(request: Request, response: Response, { did }: { did: string }, back: string) {
    const requestUri = new URL(back, origin).searchParams.get('request_uri') ?? undefined
    await browsers.signIn(request, response, did, requestUri)
    response.redirect(303, back)
  }

  async function checkPassword(request: Request, response: Response, back: string): Promise<void> {
    const username = field(request, 'username').trim().replace(/^@/, '')
    const refuse = (problem: string) => askPassword(response, { back, username, problem })
    if (username.length > IDENTIFIER_CHARACTERS_MAX) return refuse('This is no username.')
    try {
      await browsers.countSignIn(request, response, username)
      const { account, appPassword } = await passwordSignIn.login(username, field(request, 'password'))
      if (appPassword !== undefined) return refuse('An app password does not sign in here.')
      if (await secondFactors.isCodeNeeded(account)) {
        return await askFactor(response, { back, proof: passwordProofs.give(account, 'sign-in') })
      }
      await letIn(request, response, account, back)
    } catch (error) {
      if (error instanceof TooManySignInsError) return refuse(error.message)
      if (!(error instanceof LoginError)) throw error
      refuse(`${error.message}.`)
    }
  }

  function askPassword(
    response: Response,
    { back, username = '', problem: message }: { back: string; username?: string; problem?: string },
  ): void {
    const body = html`
${problem(message)}
<form method="post" action="${SECOND_FACTOR_PATH}">
<input type="hidden" name="return" value="${back}">
<label>Username or email
<input name="username" value="${username}" autocomplete="username" autocapitalize="none" spellcheck="false" required autofocus></label>
<label>Password
<input name="password" type="password" autocomplete="current-password" required></label>
<div class="actions"><button>Next</button>
<a class="button second" href="${back}">Back</a></div>
</form>`
    pages.send(response, { title: 'Sign in', body, status: message === undefined ? 200 : 401 })
  }

  async function askFactor(
    response: Response,
    { back, proof, problem: message }: { back: string; proof: string; problem?: string },
  ): Promise<void> {
    const known = passwordProofs.find(proof, 'sign-in')!
    const account = accounts.find(known.did)!
    const { authenticatorSince, passkeys: keys, backupCodes } = secondFactors.overview(account.id)
    const options = keys.length > 0 ? await passkeys.requestOptions(account) : undefined
    known.challenge = options?.challenge
    const carried = html`<input type="hidden" name="return" value="${back}"><input type="hidden" name="proof" value="${proof}">`
    const sources = [
      authenticatorSince !== undefined && 'from your authenticator app',
      backupCodes > 0 && 'you kept as a backup',
    ].filter((source) => source !== false)
    const label = `Code ${sources.join(', or one ') || 'from the email that you were just sent'}`
    const body = html`
${problem(message)}
${
  options !== undefined &&
  html`<form method="post" action="${SECOND_FACTOR_PATH}" data-passkey-get="${JSON.stringify(options)}" hidden>
${carried}<input type="hidden" name="answer">
<button>Use your passkey</button>
<p class="notice bad" role="alert" hidden>The passkey was not used. You can try again.</p>
<div class="or">or</div>
</form>`
}
<form method="post" action="${SECOND_FACTOR_PATH}">
${carried}
<label>${label}
<input name="code" autocomplete="one-time-code" autocapitalize="none" spellcheck="false" required${options === undefined && html` autofocus`}></label>
<div class="actions"><button${options !== undefined && html` class="second"`}>Confirm</button>
<a class="button second" href="${back}">Cancel</a></div>
</form>
<p class="quiet"><small>This browser stays signed in until you sign out on the account page.</small></p>`
    pages.send(response, {
      title: 'Confirm that it is you',
      subtitle: account.handle === null ? account.did : `@${account.handle}`,
      body,
      script: options && scriptPath('passkey'),
      status: message === undefined ? 200 : 401,
    })
  }
}

/** What somebody is told about a second factor that was not accepted. */
function messageOf({ code }: SecondFactorError | EmailTokenError, isPasskey: boolean): string {
  if (code === 'ExpiredToken') return 'This code is too old.'
  if (code === 'RateLimitExceeded') return 'Too many wrong codes. Please wait a quarter of an hour.'
  return isPasskey
    ? 'This passkey was not accepted.'
    : 'This code was not accepted. Each is good for one time only.'
}

/** The page to go back to: one of those that lead here, and nothing that a stranger made up. */
function wayBack(address: string | undefined, origin: string): string {
  const url = address === undefined ? null : URL.parse(address, origin)
  const leadsHere = url?.origin === origin && PAGES_BEFORE.includes(url.pathname)
  return leadsHere ? url.pathname + url.search : HOME
}
