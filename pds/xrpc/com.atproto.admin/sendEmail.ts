import type { ComAtprotoAdminSendEmail as Method } from '@atproto/api'
import { InvalidRequestError } from '@atproto/xrpc-server'
import type { AdminCredentials, ServiceCredentials } from '../../auth/credentials.ts'
import { moderator } from '../auth.ts'
import { endpoint, json } from '../endpoint.ts'

const SUBJECT_DEFAULT = 'Message via your PDS'

export default endpoint<object, Method.InputSchema, AdminCredentials | ServiceCredentials>({
  auth: moderator,
  protected: true,
  handle: async ({ input: { recipientDid, content, subject = SUBJECT_DEFAULT } }, { accounts, mailer }) => {
    const account = accounts.find(recipientDid)
    if (account === undefined) throw new InvalidRequestError('Recipient not found')
    if (account.email === null) throw new InvalidRequestError('account does not have an email address')
    await mailer.sendFromModerators(account.email, { subject, html: content })
    return json({ sent: true })
  },
})
