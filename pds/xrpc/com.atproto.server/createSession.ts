import type { ComAtprotoServerCreateSession as Method } from '@atproto/api'
import { InvalidRequestError } from '@atproto/xrpc-server'
import { LoginError } from '../../accounts/errors.ts'
import { IDENTIFIER_CHARACTERS_MAX } from '../../limits/sign-ins.ts'
import { endpoint, json } from '../endpoint.ts'
import { signIns } from '../rate-limits.ts'
import { describeSession } from '../session.ts'

export default endpoint<object, Method.InputSchema>({
  rateLimit: [signIns],
  handle: async ({ input: { identifier, password, authFactorToken, allowTakendown } }, parts) => {
    if (identifier.length > IDENTIFIER_CHARACTERS_MAX) {
      throw new InvalidRequestError(`identifier has more than ${IDENTIFIER_CHARACTERS_MAX} characters`)
    }
    const { account, appPassword } = await parts.passwordSignIn.login(identifier, password, {
      allowTakendown,
    })
    if (appPassword === undefined) await parts.secondFactors.assertAtSignIn(account, authFactorToken)
    const tokens = await parts.sessions.create(account, appPassword)
    if (tokens === null) throw new LoginError()
    return json({ ...tokens, ...(await describeSession(parts, account)) })
  },
})
