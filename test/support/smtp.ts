/** Mail servers in a process of their own (`smtp-server.ts`), and the mails that they were sent. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { cleanEnvironment, root } from './processes.ts'
import type { Message, Request } from './smtp-server.ts'

/** A mail that arrived. */
export interface ReceivedMail {
  /** The envelope's. */
  readonly from: string
  readonly to: readonly string[]
  /** Who signed in to send it. */
  readonly user: string | undefined
  /** As they were sent, by their names in small letters. */
  readonly headers: Readonly<Record<string, string>>
  readonly subject: string
  readonly text: string
  readonly html: string
}

export interface MailServer extends AsyncDisposable {
  /** `smtp://...`, with a user and a password. */
  readonly url: string
  /** In the order in which they came; each is here before its sender hears that it arrived. */
  readonly mails: ReceivedMail[]
  /** Refuses every addressee while it is set. */
  refusing: boolean
  /** The latest mail to an address. */
  last(to: string): ReceivedMail
  /** The code in the latest mail to an address. */
  code(to: string): string
}

export const SMTP_USER = 'pds@mail.example'
const PASSWORD = 'p@ss:word'

/** Starts a mail server on a free port. */
export async function startMailServer(): Promise<MailServer> {
  const host = mailHost()
  const id = ++started
  const listening = Promise.withResolvers<number>()
  const server: MailServer = {
    url: '',
    mails: [],
    refusing: false,
    last(to) {
      const mail = this.mails.findLast((mail) => mail.to.includes(to))
      if (mail === undefined) throw new Error(`no mail to ${to}`)
      return mail
    },
    code(to) {
      const [code] = /\b[A-Z2-7]{5}-[A-Z2-7]{5}\b/.exec(this.last(to).text) ?? []
      if (code === undefined) throw new Error(`no code in the mail to ${to}`)
      return code
    },
    async [Symbol.asyncDispose]() {
      const closed = Promise.withResolvers<void>()
      const listener = (message: Message) => {
        if (message.server === id && 'closed' in message) closed.resolve()
      }
      host.on('message', listener)
      send({ server: id, close: true })
      await Promise.race([closed.promise, ended(host)])
      host.off('message', listener)
      host.off('message', receive)
    },
  }
  const send = (request: Request) => host.send(request)
  const receive = (message: Message) => {
    if (message.server !== id) return
    if ('port' in message) listening.resolve(message.port)
    if (!('question' in message)) return
    const { question } = message
    if ('mail' in question) server.mails.push(question.mail)
    send({ server: id, reply: question.id, yes: 'mail' in question || !server.refusing })
  }
  host.on('message', receive)
  send({ server: id, listen: true })
  const port = await Promise.race([listening.promise, ended(host)])
  const url = `smtp://${encodeURIComponent(SMTP_USER)}:${encodeURIComponent(PASSWORD)}@127.0.0.1:${port}`
  return Object.assign(server, { url })
}

let started = 0
let running: ChildProcess | undefined

/** The process that all mail servers of this one run in. It ends with this process. */
function mailHost(): ChildProcess {
  if (running?.connected) return running
  running = fork(path.join(root, 'test/support/smtp-server.ts'), {
    env: { ...cleanEnvironment(), SMTP_USER, SMTP_PASSWORD: PASSWORD },
    execArgv: [],
  })
  running.setMaxListeners(0)
  // It keeps nobody alive.
  running.unref()
  running.channel?.unref()
  return running
}

async function ended(child: ChildProcess): Promise<never> {
  const [code] = await once(child, 'exit')
  throw new Error(`the mail server ended with ${code}`)
}
