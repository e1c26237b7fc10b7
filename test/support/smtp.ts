/** A mail server that keeps what it is sent: as much of SMTP (RFC 5321) and MIME as a client's plain mail takes. */
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { createInterface } from 'node:readline'

/** A mail that arrived. */
export interface ReceivedMail {
  /** The envelope's. */
  readonly from: string
  readonly to: readonly string[]
  /** Who signed in to send it. */
  readonly user: string | undefined
  readonly headers: ReadonlyMap<string, string>
  readonly subject: string
  readonly text: string
  readonly html: string
}

export interface MailServer extends AsyncDisposable {
  /** `smtp://...`, with a user and a password. */
  readonly url: string
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
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
    socket.once('error', () => socket.destroy())
    talk(socket, mails)
  })
  const talk = (socket: Socket, mails: MailServer) => {
    let [from, to, user]: [string, string[], string | undefined] = ['', [], undefined]
    let data: string[] | undefined
    const say = (line: string) => socket.write(`${line}\r\n`)
    say('220 mail.example ESMTP')
    createInterface({ input: socket, crlfDelay: Number.POSITIVE_INFINITY }).on('line', (line) => {
      if (data !== undefined) {
        if (line !== '.') {
          data.push(line.replace(/^\./, ''))
          return
        }
        mails.mails.push({ from, to, user, ...parseMail(data.join('\r\n')) })
        data = undefined
        to = []
        say('250 kept')
        return
      }
      const [verb = '', argument = ''] = line.split(/ (.*)/s)
      const address = /<([^>]*)>/.exec(argument)?.[1] ?? ''
      switch (verb.toUpperCase()) {
        case 'EHLO':
          return socket.write('250-mail.example\r\n250 AUTH PLAIN\r\n')
        case 'AUTH': {
          const [, name, password] = Buffer.from(argument.split(' ')[1] ?? '', 'base64')
            .toString()
            .split('\0')
          if (password !== PASSWORD) return say('535 wrong')
          user = name
          return say('235 welcome')
        }
        case 'MAIL':
          from = address
          return say('250 go on')
        case 'RCPT':
          if (mails.refusing) return say('550 nobody here')
          to.push(address)
          return say('250 go on')
        case 'DATA':
          data = []
          return say('354 go on')
        case 'QUIT':
          return socket.end('221 bye\r\n')
        default:
          return say('502 unknown')
      }
    })
  }
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  const mails: MailServer = {
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
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
  return mails
}

function parseMail(raw: string): Pick<ReceivedMail, 'headers' | 'subject' | 'text' | 'html'> {
  const { headers, parts } = parsePart(raw)
  const part = (type: string) => parts.find((part) => part.type === type)?.body ?? ''
  return {
    headers,
    subject: decodeWords(headers.get('subject') ?? ''),
    text: part('text/plain'),
    html: part('text/html'),
  }
}

function parsePart(raw: string): {
  headers: Map<string, string>
  parts: { type: string; body: string }[]
} {
  const [, head = '', body = ''] = /^(.*?)\r\n\r\n(.*)$/s.exec(raw) ?? []
  const lines = head.replace(/\r\n[ \t]+/g, ' ').split('\r\n')
  const headers = new Map(lines.map((line) => splitOnce(line, ':')))
  const contentType = headers.get('content-type') ?? 'text/plain'
  const boundary = /boundary="?([^";]+)"?/.exec(contentType)?.[1]
  const parts =
    boundary === undefined
      ? [
          {
            type: contentType.split(';')[0] ?? '',
            body: decodeBody(body, headers.get('content-transfer-encoding')),
          },
        ]
      : body
          .split(`--${boundary}`)
          .slice(1, -1)
          .flatMap((part) => parsePart(part.replace(/^\r\n/, '')).parts)
  return { headers, parts }
}

function splitOnce(line: string, separator: string): [string, string] {
  const at = line.indexOf(separator)
  return [line.slice(0, at).toLowerCase(), line.slice(at + 1).trim()]
}

function decodeBody(body: string, encoding = '7bit'): string {
  const text = encoding === 'base64' ? Buffer.from(body, 'base64').toString() : body
  return (encoding === 'quoted-printable' ? decodeQuoted(text.replace(/=\r\n/g, '')) : text).replace(
    /\r\n/g,
    '\n',
  )
}

const decodeQuoted = (text: string): string =>
  Buffer.from(
    text.replace(/=([0-9A-F]{2})/g, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16))),
    'latin1',
  ).toString()

const decodeWords = (text: string): string =>
  text
    .replace(/\?= =\?/g, '?==?')
    .replace(/=\?utf-8\?([qb])\?(.*?)\?=/gi, (_, encoding, word) =>
      encoding.toLowerCase() === 'b'
        ? Buffer.from(word, 'base64').toString()
        : decodeQuoted(word.replaceAll('_', ' ')),
    )
