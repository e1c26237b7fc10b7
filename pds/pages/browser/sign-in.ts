/**
 * Runs on the OAuth library's pages: when its sign-in is rejected because the account has a second
 * factor that it does not support, continues on our page, with the proof of the password.
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
