/** A mail server as a process of its own (`smtp-server.ts`), and the mails that it was sent. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { cleanEnvironment, root } from './processes.ts'
import type { Question, Reply } from './smtp-server.ts'

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
  const child = fork(path.join(root, 'test/support/smtp-server.ts'), {
    env: { ...cleanEnvironment(), SMTP_USER, SMTP_PASSWORD: PASSWORD },
    execArgv: [],
  })
  const { port } = await firstMessage<{ port: number }>(child)
  const server: MailServer = {
    url: `smtp://${encodeURIComponent(SMTP_USER)}:${encodeURIComponent(PASSWORD)}@127.0.0.1:${port}`,
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
      const ended = once(child, 'exit')
      child.disconnect()
      await ended
    },
  }
  child.on('message', (question: Question) => {
    if ('mail' in question) server.mails.push(question.mail)
    child.send({ id: question.id, yes: 'mail' in question || !server.refusing } satisfies Reply)
  })
  return server
}

async function firstMessage<T>(child: ChildProcess): Promise<T> {
  const failed = once(child, 'exit').then(([code]) => {
    throw new Error(`the mail server ended with ${code}`)
  })
  const [message] = await Promise.race([once(child, 'message'), failed])
  // It ends in its time.
  failed.catch(() => {})
  return message as T
}
