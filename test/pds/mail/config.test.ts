/** The variables of mail and invites. */
import { expect, test } from 'vitest'
import { ConfigError } from '#platform/env.ts'
import { readConfig } from '../../../pds/config.ts'
import { pdsEnv } from '../../support/pds.ts'

const read = (variables: Record<string, string>) =>
  readConfig({ ...pdsEnv('http://localhost:2582', './data', 2583), PDS_INVITE_REQUIRED: '', ...variables })

test('without mail and invite variables there is no mail server, and invites are required and never earned', () => {
  expect(read({})).toMatchObject({
    mail: { smtp: undefined, moderationSmtp: undefined, confirmationLink: true },
    invites: { required: true, intervalMs: undefined, epochMs: 0 },
    branding: { name: 'localhost PDS' },
    links: { home: undefined },
  })
})

test('mail and invite variables set two mail servers, an invite interval, and a name', () => {
  const variables = {
    PDS_EMAIL_SMTP_URL: 'smtps://resend:secret@smtp.example:465/',
    PDS_EMAIL_FROM_ADDRESS: 'noreply@pds.example',
    PDS_EMAIL_DISABLE_CONFIRMATION_LINK: 'true',
    PDS_MODERATION_EMAIL_SMTP_URL: 'smtp:///?sendmail=true',
    PDS_MODERATION_EMAIL_ADDRESS: 'mod@pds.example',
    PDS_INVITE_INTERVAL: '604800000',
    PDS_INVITE_EPOCH: '1700000000000',
    PDS_SERVICE_NAME: 'Ours',
    PDS_HOME_URL: 'https://ours.example',
  }
  expect(read(variables)).toMatchObject({
    mail: {
      smtp: { url: 'smtps://resend:secret@smtp.example:465', from: 'noreply@pds.example' },
      moderationSmtp: { url: 'smtp:///?sendmail=true', from: 'mod@pds.example' },
      confirmationLink: false,
    },
    invites: { intervalMs: 604_800_000, epochMs: 1_700_000_000_000 },
    branding: { name: 'Ours' },
    links: { home: 'https://ours.example' },
  })
})

test('a mail server without a sender, a sender without a mail server, and what is no mail server are faults', () => {
  const faults = (variables: Record<string, string>) => {
    try {
      read(variables)
    } catch (error) {
      if (error instanceof ConfigError) return error.faults.map(({ name }) => name)
    }
    return []
  }
  expect(faults({ PDS_EMAIL_SMTP_URL: 'smtp://mail.example' })).toEqual(['PDS_EMAIL_FROM_ADDRESS'])
  expect(faults({ PDS_MODERATION_EMAIL_ADDRESS: 'mod@pds.example' })).toEqual([
    'PDS_MODERATION_EMAIL_SMTP_URL',
  ])
  expect(
    faults({ PDS_EMAIL_SMTP_URL: 'https://mail.example', PDS_EMAIL_FROM_ADDRESS: 'noreply@pds.example' }),
  ).toEqual(['PDS_EMAIL_SMTP_URL'])
})
