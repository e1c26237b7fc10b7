/**
 * A form with `data-passkey-create` or `data-passkey-get`, which hold what the browser is asked, sends what it answered in its field `answer`. A
 * form without a script would send nothing of use, so it is shown only here.
 */
import {
  browserSupportsWebAuthn,
  type PublicKeyCredentialCreationOptionsJSON,
  type PublicKeyCredentialRequestOptionsJSON,
  startAuthentication,
  startRegistration,
} from '@simplewebauthn/browser'

for (const form of document.querySelectorAll<HTMLFormElement>(
  'form[data-passkey-create], form[data-passkey-get]',
)) {
  if (!browserSupportsWebAuthn()) continue
  form.hidden = false
  form.addEventListener('submit', (event) => {
    event.preventDefault()
    void send(form)
  })
}

async function send(form: HTMLFormElement): Promise<void> {
  const { passkeyCreate, passkeyGet } = form.dataset
  const problem = form.querySelector<HTMLElement>('[role=alert]')!
  problem.hidden = true
  try {
    const answer =
      passkeyCreate !== undefined
        ? await startRegistration({
            optionsJSON: JSON.parse(passkeyCreate) as PublicKeyCredentialCreationOptionsJSON,
          })
        : await startAuthentication({
            optionsJSON: JSON.parse(passkeyGet!) as PublicKeyCredentialRequestOptionsJSON,
          })
    form.querySelector<HTMLInputElement>('input[name=answer]')!.value = JSON.stringify(answer)
    form.submit()
  } catch {
    problem.hidden = false
  }
}
