/**
 * Beside the OAuth library's script on its pages: when its sign-in is refused because the account has a second factor that it does not know,
 * leads on to the page of ours where the sign-in goes on, with the proof that the password was right.
 */
const SIGN_IN = '/@atproto/oauth-provider/~api/sign-in'
const NEXT_STEP = '/account/second-factor'

const plainFetch = window.fetch

window.fetch = async (input, init) => {
  const response = await plainFetch(input, init)
  const { pathname } = new URL(input instanceof Request ? input.url : input, location.href)
  if (response.ok || pathname !== SIGN_IN) return response
  const refusal = (await response.clone().json()) as { error?: string; proof?: string }
  if (refusal.error !== 'second_step_required' || refusal.proof === undefined) return response
  goOn(refusal.proof)
  // The page is about to go: it waits for an answer instead of showing an error meanwhile.
  return new Promise(() => {})
}

function goOn(proof: string): void {
  const form = document.createElement('form')
  form.method = 'post'
  form.action = NEXT_STEP
  for (const [name, value] of Object.entries({ proof, return: location.pathname + location.search })) {
    const input = document.createElement('input')
    input.type = 'hidden'
    input.name = name
    input.value = value
    form.append(input)
  }
  document.body.append(form)
  form.submit()
}
