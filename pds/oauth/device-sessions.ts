/** Who is signed in on which browser, for our own pages: shares the OAuth library's cookies. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { OAuthError } from '@atproto/oauth-provider/errors'
import type { OAuthHooks } from '@atproto/oauth-provider/hooks'
import type { DeviceId, Did, RequestId, RequestStore } from '@atproto/oauth-provider/store'
import type { OAuthProvider } from './provider.ts'
import type { Visits } from './visits.ts'

/** Prefix of request URIs. https://www.rfc-editor.org/rfc/rfc9126#section-2.2 */
const REQUEST_URI = /^urn:ietf:params:oauth:request_uri:(req-[0-9a-f]+)$/

/** Too many password attempts. */
export class TooManySignInsError extends Error {
  override name = 'TooManySignInsError'
}

interface Deps {
  readonly provider: OAuthProvider
  readonly requests: Pick<RequestStore, 'readRequest' | 'updateRequest'>
  readonly visits: Pick<Visits, 'of'>
  /** The provider's, which refuse who tries passwords too often. */
  readonly hooks: Pick<OAuthHooks, 'onSignInAttempt'>
}

export class Browsers {
  readonly #deps: Deps

  constructor(deps: Deps) {
    this.#deps = deps
  }

  /** DIDs signed in on a browser, recently enough for the account pages, single visits included. */
  async signedIn(request: IncomingMessage, response: ServerResponse): Promise<string[]> {
    const { deviceId } = await this.#deps.provider.deviceManager.load(request, response)
    const found = await this.#deps.provider.accountManager.listDeviceAccounts(deviceId)
    const remembered = found
      .filter((deviceAccount) => !this.#deps.provider.checkLoginRequired(deviceAccount))
      .map(({ account }) => account.did)
    return [...new Set<string>([...remembered, ...this.#deps.visits.of(deviceId)])]
  }

  /**
   * Counts a try to sign in with those of the library's own page, which are limited.
   * @throws TooManySignInsError
   */
  async countSignIn(request: IncomingMessage, response: ServerResponse, username: string): Promise<void> {
    const device = await this.#deps.provider.deviceManager.load(request, response)
    const data = { username, password: '', locale: 'en' }
    try {
      await this.#deps.hooks.onSignInAttempt?.({ data, ...device, clientId: undefined })
    } catch (error) {
      if (!(error instanceof OAuthError)) throw error
      throw new TooManySignInsError(error.message, { cause: error })
    }
  }

  /**
   * Signs an account in on a browser, and rotates its cookies.
   * @param requestUri a pending authorization request; its page then continues with this account
   * and does not ask for the password again
   */
  async signIn(
    request: IncomingMessage,
    response: ServerResponse,
    did: string,
    requestUri: string | undefined,
  ): Promise<void> {
    const { deviceId } = await this.#deps.provider.deviceManager.load(request, response, true)
    await this.#deps.provider.accountManager.upsertDeviceAccount(deviceId, did as Did)
    const id = requestUri === undefined ? undefined : REQUEST_URI.exec(requestUri)?.[1]
    if (id !== undefined) await this.#select(id as RequestId, deviceId, did)
  }

  /** Takes the sign-in that just happened for the one that the app asked for. */
  async #select(id: RequestId, deviceId: DeviceId, did: string): Promise<void> {
    const request = await this.#deps.requests.readRequest(id)
    if (request === null || request.deviceId !== deviceId || request.did !== null) return
    const { prompt, ...parameters } = request.parameters
    const stays = prompt === 'consent' ? { prompt } : {}
    await this.#deps.requests.updateRequest(id, {
      parameters: { ...parameters, ...stays, login_hint: did as Did },
    })
  }
}
