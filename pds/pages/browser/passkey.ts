/**
 * Forms with `data-passkey-create` or `data-passkey-get`, which hold the WebAuthn options, submit
 * the browser's response in their field `answer`. They are useless without a script, so they are
 * shown only here.
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
