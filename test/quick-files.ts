/**
 * The tests of `npm run test:quick`: for each room a few that are cheap, most of them without a
 * process of their own.
 */

/** By room; a name that ends with `/` is a folder. */
export const QUICK_FILES: Readonly<Record<string, readonly string[]>> = {
  lexicons: ['lexicons.test.ts'],
  protocol: ['architecture.test.ts', 'quick.test.ts', 'interop/', 'protocol/'],
  platform: [
    'platform/env.test.ts',
    'platform/fetch.test.ts',
    'platform/gate.test.ts',
    'platform/lexicons.test.ts',
    'platform/sqlite.test.ts',
    'platform/xrpc-errors.test.ts',
  ],
  'pds/accounts': ['pds/accounts/accounts.test.ts'],
  'pds/admin': ['pds/admin/takedowns.test.ts'],
  'pds/auth': ['pds/accounts/credentials/app-passwords.test.ts'],
  'pds/config': ['pds/config.test.ts'],
  'pds/blobs': ['pds/blobs/references.test.ts'],
  'pds/firehose': ['pds/firehose/firehose.test.ts'],
  'pds/identity': ['pds/identity/'],
  'pds/limits': ['pds/limits/'],
  'pds/mail': ['pds/mail/templates.test.ts', 'pds/mail/config.test.ts'],
  'pds/oauth': ['pds/oauth/passing-browsers.test.ts'],
  'pds/pages': ['pds/pages/', 'pds/xrpc/index.test.ts'],
  'pds/proxy': ['pds/proxy/upstream.test.ts'],
  'pds/repo': ['pds/repo/data-model.test.ts', 'pds/repo/prepare.test.ts', 'pds/repo/write.test.ts'],
  'pds/store': ['pds/store/'],
  'pds/wiring': ['pds/routes.test.ts'],
  'pds/xrpc': ['pds/xrpc/endpoints.test.ts', 'pds/xrpc/errors.test.ts'],
  'feedgen/algorithm': ['feedgen/algorithm/'],
  'feedgen/backfill': ['feedgen/backfill/jobs.test.ts', 'feedgen/backfill/definitions.test.ts'],
  'feedgen/engine': ['feedgen/engine/'],
  'feedgen/feeds': ['feedgen/feeds/live-definitions.test.ts', 'feedgen/feeds/matcher.test.ts'],
  'feedgen/firehose': ['feedgen/firehose/subscribe-repos.test.ts'],
  'feedgen/identity': ['feedgen/firehose/subscribe-repos.test.ts'],
  'feedgen/index': ['feedgen/index/read/queries.test.ts'],
  'feedgen/pages': ['feedgen/xrpc/askers.test.ts', 'feedgen/xrpc/viewers.test.ts'],
  'feedgen/xrpc': ['feedgen/xrpc/index.test.ts'],
  scripts: ['scripts/atoll/import.test.ts', 'scripts/environment.test.ts'],
}
