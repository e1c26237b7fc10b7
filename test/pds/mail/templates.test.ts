/** What mails say, and where they go on a server that cannot send them. */
import { pino } from 'pino'
import { afterEach, expect, test, vi } from 'vitest'
import { type CodePurpose, codeLetter } from '../../../pds/mail/templates.ts'
import { LogOutbox } from '../../../pds/mail/transport.ts'

afterEach(() => {
  vi.restoreAllMocks()
})

const plain = {
  serviceName: 'pds.example PDS',
  homeUrl: undefined,
  logoUrl: undefined,
  primaryColor: undefined,
}
const letter = (purpose: CodePurpose, brand: Parameters<typeof codeLetter>[1] = plain) =>
  codeLetter({ purpose, code: 'ABCDE-23456', handle: 'ada.test' }, brand)

test('every mail says its code, whom it is for and how long it holds, in text and in HTML', () => {
  const purposes: CodePurpose[] = [
    'confirm_email',
    'update_email',
    'reset_password',
    'delete_account',
    'plc_operation',
    'sign_in',
  ]
  const letters = purposes.map((purpose) => letter(purpose))
  for (const { text, html } of letters) {
    for (const part of ['ABCDE-23456', 'ada.test', '15 minutes', 'pds.example PDS']) {
      expect(text).toContain(part)
      expect(html).toContain(part)
    }
  }
  expect(new Set(letters.map(({ subject }) => subject)).size).toBe(purposes.length)
})

test('the operator’s brand is shown, and cannot break the page', () => {
  const { html } = letter('sign_in', {
    serviceName: '<b>"A" & B</b>',
    homeUrl: 'https://home.example/?a&b',
    logoUrl: 'https://home.example/logo.png',
    primaryColor: '#123456"><script>',
  })
  expect(html).toContain('&lt;b&gt;&quot;A&quot; &amp; B&lt;/b&gt;')
  expect(html).toContain('href="https://home.example/?a&amp;b"')
  expect(html).toContain('src="https://home.example/logo.png"')
  expect(html).not.toContain('<script>')
})

test('a mail that cannot be sent is written to the log, or to the screen when there is none', async () => {
  const printed = vi.spyOn(console, 'warn').mockImplementation(() => {})
  const lines: string[] = []
  const log = (level: string) => pino({ level }, { write: (line: string) => lines.push(line) })
  await new LogOutbox(log('info')).send('ada@mail.example', letter('sign_in'))
  expect(JSON.parse(lines.join(''))).toMatchObject({
    to: 'ada@mail.example',
    subject: 'Sign-in Code',
    text: expect.stringContaining('ABCDE-23456'),
  })
  expect(printed).not.toHaveBeenCalled()
  await new LogOutbox(log('silent')).send('ada@mail.example', letter('sign_in'))
  expect(lines).toHaveLength(1)
  expect(printed.mock.calls.flat().join()).toContain('ABCDE-23456')
})
