/**
 * A mail server of the field (`smtp-server`, `mailparser`) as a process of its own. Its parent says which addressees it takes, and has every
 * mail before the sender hears that it arrived.
 *
 * SMTP_USER and SMTP_PASSWORD say for whom it is.
 */
import { simpleParser } from 'mailparser'
import { SMTPServer, type SMTPServerAddress } from 'smtp-server'
import type { ReceivedMail } from './smtp.ts'

/** What the parent is asked: to take a mail, or whether it takes mails to an address. */
export type Question = { readonly id: number } & ({ readonly mail: ReceivedMail } | { readonly to: string })
export interface Reply {
  readonly id: number
  readonly yes: boolean
}

const { SMTP_USER, SMTP_PASSWORD } = process.env
const waiting = new Map<number, (yes: boolean) => void>()
let asked = 0

function ask(question: { mail: ReceivedMail } | { to: string }): Promise<boolean> {
  const id = ++asked
  return new Promise((resolve) => {
    waiting.set(id, resolve)
    process.send?.({ id, ...question } satisfies Question)
  })
}

process.on('message', ({ id, yes }: Reply) => {
  waiting.get(id)?.(yes)
  waiting.delete(id)
})
process.on('disconnect', () => process.exit())

const addressOf = (address: SMTPServerAddress | false): string => (address === false ? '' : address.address)

const server = new SMTPServer({
  // The senders are on this machine.
  disabledCommands: ['STARTTLS'],
  disableReverseLookup: true,
  onAuth({ username, password }, _session, done) {
    if (username === SMTP_USER && password === SMTP_PASSWORD) done(null, { user: username })
    else done(new Error('wrong user or password'))
  },
  onRcptTo({ address }, _session, done) {
    ask({ to: address }).then((yes) => done(yes ? null : new Error('nobody here')), done)
  },
  onData(stream, { envelope, user }, done) {
    const receive = async () => {
      const { headerLines, subject = '', text = '', html } = await simpleParser(stream)
      const headers = headerLines.map(({ key, line }) => [key, line.slice(line.indexOf(':') + 1).trim()])
      const mail: ReceivedMail = {
        from: addressOf(envelope.mailFrom),
        to: envelope.rcptTo.map(addressOf),
        user: user as string | undefined,
        headers: Object.fromEntries(headers),
        subject,
        text,
        html: html || '',
      }
      await ask({ mail })
    }
    receive().then(() => done(), done)
  },
})
server.listen(0, '127.0.0.1', () => {
  const address = server.server.address()
  process.send?.({ port: typeof address === 'object' && address !== null ? address.port : 0 })
})
