/**
 * Mail servers of the field (`smtp-server`, `mailparser`) in a process of their own. The parent
 * says when one starts and closes and which addressees it takes, and has every mail before the
 * sender hears that it arrived.
 *
 * SMTP_USER and SMTP_PASSWORD say for whom they are.
 */
import { simpleParser } from 'mailparser'
import { SMTPServer, type SMTPServerAddress } from 'smtp-server'
import type { ReceivedMail } from './smtp.ts'

/** What the parent is asked: to take a mail, or whether it takes mails to an address. */
export type Question = { readonly id: number } & ({ readonly mail: ReceivedMail } | { readonly to: string })

/** What the parent is told of one of the servers. */
export type Message = { readonly server: number } & (
  | { readonly port: number }
  | { readonly question: Question }
  | { readonly closed: true }
)

/** What the parent says to one of the servers. */
export type Request = { readonly server: number } & (
  | { readonly listen: true }
  | { readonly reply: number; readonly yes: boolean }
  | { readonly close: true }
)

const { SMTP_USER, SMTP_PASSWORD } = process.env
const servers = new Map<number, SMTPServer>()
const waiting = new Map<number, (yes: boolean) => void>()
let asked = 0

const tell = (message: Message) => process.send?.(message)

process.on('message', (request: Request) => {
  if ('listen' in request) listen(request.server)
  else if ('close' in request) {
    const tellClosed = () => tell({ server: request.server, closed: true })
    servers.get(request.server)?.close(tellClosed)
    servers.delete(request.server)
  } else {
    waiting.get(request.reply)?.(request.yes)
    waiting.delete(request.reply)
  }
})
process.on('disconnect', () => process.exit())

function listen(id: number): void {
  const server = serverThatAsks((question) => {
    const { promise, resolve } = Promise.withResolvers<boolean>()
    waiting.set(++asked, resolve)
    tell({ server: id, question: { id: asked, ...question } })
    return promise
  })
  servers.set(id, server)
  server.listen(0, '127.0.0.1', () => {
    const address = server.server.address()
    tell({ server: id, port: typeof address === 'object' && address !== null ? address.port : 0 })
  })
}

const addressOf = (address: SMTPServerAddress | false): string => (address === false ? '' : address.address)

function serverThatAsks(
  ask: (question: { mail: ReceivedMail } | { to: string }) => Promise<boolean>,
): SMTPServer {
  return new SMTPServer({
    // The senders are on this machine.
    disabledCommands: ['STARTTLS'],
    disableReverseLookup: true,
    // Whoever is still connected when it closes is cut off.
    closeTimeout: 1,
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
}
