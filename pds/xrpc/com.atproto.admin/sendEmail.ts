import type { ComAtprotoAdminSendEmail as Method } from '@atproto/api'
import { InvalidRequestError } from '@atproto/xrpc-server'
import type { AdminCredentials, ServiceCredentials } from '../../auth/credentials.ts'
import type { Services } from '../../services.ts'
import { endpoint, json } from '../endpoint.ts'

const SUBJECT_DEFAULT = 'Message via your PDS'

export default ({ auth, accounts, mailer }: Pick<Services, 'auth' | 'accounts' | 'mailer'>) =>
  endpoint<object, Method.InputSchema, AdminCredentials | ServiceCredentials>({
    auth: ({ request }) => auth.moderator(request),
    handler: async ({ input: { recipientDid, content, subject = SUBJECT_DEFAULT } }) => {
      const account = accounts.find(recipientDid)
      if (account === undefined) throw new InvalidRequestError('Recipient not found')
      if (account.email === null) throw new InvalidRequestError('account does not have an email address')
      await mailer.sendFromModerators(account.email, { subject, html: content })
      return json({ sent: true })
    },
  })
