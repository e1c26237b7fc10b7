import type { ComAtprotoAdminGetInviteCodes as Method } from '@atproto/api'
import { InvalidRequestError } from '@atproto/xrpc-server'
import type { AdminCredentials, ServiceCredentials } from '../../auth/credentials.ts'
import { moderator } from '../auth.ts'
import { endpoint, json } from '../endpoint.ts'

const LIMIT_DEFAULT = 100
/** After every time, as text is compared. */
const NEVER = '~'

export default endpoint<Method.QueryParams, undefined, AdminCredentials | ServiceCredentials>({
  auth: moderator,
  handle: ({ params: { sort = 'recent', limit = LIMIT_DEFAULT, cursor } }, { invites }) => {
    const after = cursor ? parseCursor(cursor) : undefined
    if (sort === 'recent') {
      const createdAt = after ? new Date(after.number).toISOString() : NEVER
      const codes = invites.byTime({ createdAt, code: after?.code ?? '' }, limit)
      const last = codes.at(-1)
      return json({ cursor: last && `${Date.parse(last.createdAt)}::${last.code}`, codes })
    }
    if (sort === 'usage') {
      const uses = after?.number ?? Number.MAX_SAFE_INTEGER
      const codes = invites.byUses({ uses, code: after?.code ?? '' }, limit)
      const last = codes.at(-1)
      return json({ cursor: last && `${last.uses.length}::${last.code}`, codes })
    }
    throw new InvalidRequestError(`unknown sort method: ${sort}`)
  },
})

/** What the last page was sorted by, and its last code. */
function parseCursor(cursor: string): { number: number; code: string } {
  const [, number, code] = /^(\d{1,15})::([^:]+)$/.exec(cursor) ?? []
  if (number === undefined || code === undefined) throw new InvalidRequestError('Malformed cursor')
  return { number: Number(number), code }
}
