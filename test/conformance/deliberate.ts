/**
 * Every deliberate difference from `@atproto/pds`: a row of the table in README.md each. The rows
 * are proven by the responses (`cases`; one that no longer differs fails the suite, and so does a
 * difference without one), or by a test of their own.
 */

/**
 * A request whose answers differ; `*` stands for any text. Either what each side says, or what our
 * answer has besides the reference's.
 */
export type DifferentAnswer = { readonly key: string } & (
  | { readonly ours: string; readonly reference: string }
  | { readonly addition: string }
)

/** A row of the table. */
export interface Deliberate {
  readonly title: string
  readonly atoll: string
  readonly reference: string
  readonly why: string
  readonly cases?: readonly DifferentAnswer[]
  /** The test that shows what no answer does. */
  readonly test?: string
}

/** The same difference in the answers to several requests. */
const each = (keys: readonly string[], ours: string, reference: string): DifferentAnswer[] =>
  keys.map((key) => ({ key, ours, reference }))

const BAD_REQUEST = '400 InvalidRequest'
const INTERNAL = '500 InternalServerError'
const CID_V0 = 'QmbWqxBEKC3P8tqsKc98xmWNzrzDtRLMiMPL8wBuTGsMnR'

export const deliberateDifferences: readonly Deliberate[] = [
  {
    title: 'several operations on one key in one `applyWrites`',
    atoll: 'become one operation in the event',
    reference: 'one operation each',
    why: 'consumers compare each operation with the final tree, and reject what `@atproto/pds` emits',
    test: 'test/conformance/reference.test.ts',
  },
  {
    title: 'creating a record that exists; updating or deleting one that does not',
    atoll: '400',
    reference: '500',
    why: 'it is the client’s mistake',
    cases: each(
      [
        'createRecord: the same key*',
        'createRecord: * for a collection, validate false',
        'applyWrites: a create of what is there',
        'applyWrites: an update of what is not',
        'applyWrites: a delete of what is not',
        'applyWrites: two creates of one',
        'applyWrites: two deletes of one',
      ].map((key) => `com.atproto.repo.${key}`),
      BAD_REQUEST,
      INTERNAL,
    ),
  },
  {
    title: 'values outside the data model',
    atoll: '400',
    reference: '500, or a different value is stored',
    why: 'it is the client’s mistake, and a stored record always equals the one sent',
    cases: [
      ...each(['com.atproto.repo.createRecord: a thing with a * number'], BAD_REQUEST, INTERNAL),
      ...each(['com.atproto.repo.createRecord: half a character as a key'], BAD_REQUEST, '200'),
      ...each(
        [
          'half a character',
          'a link that is none',
          'a link and more',
          'a link that is a number',
          'bytes that are none',
          'bytes and more',
          'a blob of another kind',
          'a blob without a size',
          'a blob without a type',
          'a blob of no type',
          'a blob and more',
          'a type that is none',
          'an empty type',
        ].map((label) => `com.atproto.repo.createRecord: a thing with ${label}`),
        BAD_REQUEST,
        '200',
      ),
    ],
  },
  {
    title: 'records of an inactive account',
    atoll:
      '`RepoDeactivated` or `RepoTakendown`, as in `com.atproto.sync.*` (`getRecord` asks the AppView if there is one); the owner and the operator can read them',
    reference: 'not found, under several names',
    why: 'one state, one answer; owners may see their own data',
    cases: [
      ...['a stranger', 'another'].flatMap((viewer) => [
        ...each([`com.atproto.repo.listRecords # dora to ${viewer}`], '400 RepoDeactivated', BAD_REQUEST),
        ...each([`com.atproto.repo.listRecords # tania to ${viewer}`], '400 RepoTakendown', BAD_REQUEST),
      ]),
      ...['dora to dora*', 'dora to the operator', 'tania to tania*', 'tania to the operator'].flatMap(
        (seen) => [
          { key: `com.atproto.repo.listRecords # ${seen}`, ours: '200', reference: BAD_REQUEST },
          { key: `com.atproto.repo.describeRepo # ${seen}`, ours: '200', reference: '400 Repo*' },
          { key: `com.atproto.repo.getRecord # ${seen}`, ours: '*', reference: '*' },
        ],
      ),
      ...each(
        ['com.atproto.repo.* # dora to *', 'com.atproto.repo.* # tania to *', 'down*: repo.describeRepo'],
        'cache-control: private; varies by authorization: yes',
        'cache-control: ; varies by authorization: ',
      ),
    ],
    test: 'test/pds/repo/read.test.ts',
  },
  {
    title: 'a form (`multipart/*`) sent to `uploadBlob`',
    atoll: '400, unless a migrated record refers to it',
    reference: 'stored as is',
    why: 'it is not an image, and the record that shows it fails later',
    cases: each(['com.atproto.repo.uploadBlob ! type multipart/form-data; boundary=x'], BAD_REQUEST, '200'),
  },
  {
    title: 'a blob whose bytes have disappeared from the disk or the bucket',
    atoll:
      'missing: `listMissingBlobs` lists it, `checkAccountStatus` does not count it, and a new upload restores it',
    reference: 'present until it is requested',
    why: 'only the owner can restore it, and nothing else tells them',
    test: 'test/pds/blobs/blobs.test.ts',
  },
  {
    title: 'CIDs of version 0',
    atoll: 'invalid',
    reference: 'valid CIDs of nothing',
    why: 'no commit, record or blob has one',
    cases: [
      { key: `*swap* "${CID_V0}"`, ours: BAD_REQUEST, reference: '*' },
      { key: `com.atproto.sync.getBl* ? cid*${CID_V0}*`, ours: 'body: *not a CID*', reference: 'body: *' },
      {
        key: `com.atproto.admin.getSubjectStatus ? blob="${CID_V0}"`,
        ours: BAD_REQUEST,
        reference: '400 NotFound',
      },
    ],
  },
  {
    title: 'malformed cursors',
    atoll: '400',
    reference: 'compared as text',
    why: 'it is the client’s mistake',
    cases: each(
      ['com.atproto.sync.listBlobs ? cursor=*', 'com.atproto.repo.listMissingBlobs ? cursor=*'],
      BAD_REQUEST,
      '200',
    ),
  },
  {
    title: 'handles in upper case',
    atoll: 'the same as in lower case',
    reference: 'sometimes unknown',
    why: 'handles and host names are case-insensitive',
    cases: [
      { key: 'com.atproto.repo.* ? repo="ALICE-here.test"', ours: '200', reference: '400 *' },
      {
        key: 'com.atproto.repo.getRecord ? repo="ALICE-here.test"',
        ours: '*"text":"post 3"*',
        reference: '*"uri":"at://<did>/*',
      },
      {
        key: 'com.atproto.repo.* < repo: "ALICE-here.test"',
        ours: '401 AuthenticationRequired',
        reference: '403 AccountNotFound',
      },
      {
        key: 'com.atproto.repo.createRecord: by a handle in capitals',
        ours: BAD_REQUEST,
        reference: '403 AccountNotFound',
      },
      {
        key: 'com.atproto.admin.updateAccountEmail < account: "ALICE-here.test"',
        ours: '*already in use*',
        reference: '*does not exist*',
      },
      { key: 'GET /.well-known/atproto-did {*"ALICE-here.test"}', ours: '200', reference: '404' },
    ],
  },
  {
    title: 'malformed service tokens and paths',
    atoll: '401 `BadJwt`, 400 `InvalidToken`, 404',
    reference: '500',
    why: 'malformed input is not a server fault',
    cases: [
      ...each(['* @ "Bearer x.y.z"'], '401 BadJwt', INTERNAL),
      ...each(['* @ "Bearer x*"'], '400 InvalidToken', INTERNAL),
      { key: '* // {}', ours: '*04', reference: '500*' },
    ],
  },
  {
    title: 'responses to unreadable credentials',
    atoll: 'never cached',
    reference: 'cached like public ones',
    why: 'a response to credentials, even bad ones, is for one client',
    cases: each(
      ['* @ *'],
      'cache-control: private; varies by authorization: yes',
      'cache-control: ; varies by authorization: ',
    ),
  },
  {
    title: '`subscribeRepos` without an upgrade',
    atoll: '426',
    reference: '401',
    why: 'no credentials are missing',
    cases: [
      {
        key: 'GET /xrpc/com.atproto.sync.subscribeRepos {}',
        ours: '426 UpgradeRequired',
        reference: '401 AuthMissing',
      },
      { key: 'HEAD /xrpc/com.atproto.sync.subscribeRepos {}', ours: '426', reference: '401' },
    ],
  },
  {
    title: '`/xrpc/_health` when the disk has no room for a post',
    atoll: '503',
    reference: '200',
    why: 'monitoring should notice',
    test: 'test/pds/limits/disk-space.test.ts',
  },
  {
    title: '`/xrpc/_health` with verbs other than GET',
    atoll: '404',
    reference: '400',
    why: 'it is a page, not a method',
    cases: each(['* /xrpc/_health {}'], '404', BAD_REQUEST),
  },
  {
    title: 'the version in `/xrpc/_health`',
    atoll: 'Atoll’s',
    reference: 'its own',
    why: 'it is different software',
    cases: each(['GET /xrpc/_health {}'], 'body: {"version":*}', 'body: {"version":*}'),
  },
  {
    title: 'sessions and their second factor',
    atoll:
      '`emailAuthFactor` says whether one is required, and `updateEmail` requires one once the address is confirmed',
    reference: 'has none',
    why: 'the lexicon defines it',
    cases: [
      { key: '*', addition: '"emailAuthFactor":false,' },
      ...each(['com.atproto.server.updateEmail < emailAuthFactor: true'], BAD_REQUEST, '200'),
    ],
  },
  {
    title: 'ranges of blobs (`Range`)',
    atoll: 'served',
    reference: 'the whole blob',
    why: 'video players request them',
    cases: [
      ...each(['a blob: a part'], '206', '200'),
      ...each(
        ['com.atproto.sync.getBlob *', '*: sync.getBlob', 'a blob: its head', 'a blob: the page'],
        'access-control-expose-headers: Accept-Ranges, Content-Length, Content-Range',
        'access-control-expose-headers: ',
      ),
    ],
  },
  {
    title: 'a blob whose bytes reveal its type',
    atoll: 'has that type',
    reference: 'may keep the claimed type',
    why: 'a record that states another type would be rejected',
    cases: each(
      ['com.atproto.repo.uploadBlob ! *'],
      'body: {"blob":*"mimeType":*',
      'body: {"blob":*"mimeType":*',
    ),
  },
  {
    title: 'a blob whose bytes do not reveal its type',
    atoll: 'takes the type from the record, or from a later upload',
    reference: 'keeps the first upload’s type, even `*/*`',
    why: '`*/*` is not a type',
    test: 'test/pds/blobs/references.test.ts',
  },
  {
    title: 'small CAR files',
    atoll: 'sent with their length, uncompressed',
    reference: 'streamed and compressed',
    why: 'hashes do not compress',
    cases: each(['com.atproto.sync.get* ! compressed'], 'content-encoding: ', 'content-encoding: gzip'),
  },
  {
    title: '`importRepo` of a malformed archive, or another account’s',
    atoll: '400, nothing changes',
    reference: '500, or partly unchecked',
    why: 'it could be neither served nor verified',
    cases: each(['com.atproto.repo.importRepo *'], BAD_REQUEST, INTERNAL),
  },
  {
    title: 'migrated records with values outside the data model',
    atoll:
      'readable, integers with all their digits; a misused `$type`, `$link` or `$bytes` may stay when such a record is edited',
    reference: 'some are 500, and so is the page of `listRecords` that contains them',
    why: 'one odd record must not hide the others',
    test: 'test/pds/repo/import.test.ts',
  },
  {
    title: 'bodies compressed several times, or to far less than their size',
    atoll: '415, 413',
    reference: 'decompressed',
    why: 'a few kilobytes would fill the disk',
    test: 'test/pds/xrpc/bodies.test.ts',
  },
  {
    title: 'an upload that does not decompress',
    atoll: '400',
    reference: '500',
    why: 'it is the client’s mistake',
    cases: each(
      ['com.atproto.repo.uploadBlob ! encoding gzip, wrongly'],
      BAD_REQUEST,
      '500 InternalServerError',
    ),
  },
  {
    title: 'blob limit without `PDS_BLOB_UPLOAD_LIMIT`',
    atoll: '100 MiB',
    reference: '5 MiB',
    why: 'videos are larger',
    test: 'test/pds/config.test.ts',
  },
  {
    title: 'a body above the limit',
    atoll: '413 that states the limit',
    reference: '413',
    why: 'the client can act on it',
    cases: each(
      [
        'com.atproto.repo.uploadBlob: too large*',
        'com.atproto.repo.uploadBlob ! 1.1 MB',
        'com.atproto.repo.uploadBlob ! 200 kB',
      ],
      'body: {"error":"PayloadTooLarge","message":"The body is too large: *"}',
      'body: {"error":"PayloadTooLarge","message":"request entity too large"}',
    ),
  },
  {
    title: 'a body rejected before it has arrived',
    atoll: 'drained within bounds, then the connection closes',
    reference: 'a reset, or a kept connection that is never read',
    why: 'the client sees the reason, and the proxy’s next request is answered',
    test: 'test/pds/xrpc/index.test.ts',
  },
  {
    title: 'import limit without `PDS_MAX_REPO_IMPORT_SIZE`',
    atoll: '1 GiB decompressed',
    reference: 'the blob limit',
    why: 'repositories are larger than blobs, but not unbounded',
    test: 'test/pds/repo/import.test.ts',
  },
  {
    title: 'uploads and imports on an almost full disk',
    atoll: '507 `InsufficientStorage`',
    reference: 'until the disk is full',
    why: 'everything else keeps working',
    test: 'test/pds/xrpc/bodies.test.ts',
  },
  {
    title: 'bodies slower than 1 KB a second',
    atoll: '408 `RequestTimeout`',
    reference: 'waited for',
    why: 'they occupy slots that others need',
    test: 'test/pds/xrpc/bodies.test.ts',
  },
  {
    title: 'the commit after an import',
    atoll: 'signed here, its rev above the archive’s',
    reference: 'keeps the old host’s signature',
    why: 'relays verify it with this host’s key',
    test: 'test/pds/repo/import.test.ts',
  },
  {
    title: 'a write during an import',
    atoll: 'the import fails with `InvalidSwap`',
    reference: 'the write waits',
    why: 'no write is lost, and none waits for minutes',
    test: 'test/pds/repo/import.test.ts',
  },
  {
    title: 'blobs that no record refers to',
    atoll: 'deleted a day after the upload',
    reference: 'deleted at once, or never',
    why: 'they may be referred to again; temporary ones are deleted too',
    test: 'test/pds/blobs/blobs.test.ts',
  },
  {
    title: 'S3',
    atoll: 'one upload to the final key, with its digest',
    reference: 'to a temporary key, then copied',
    why: 'there is never half a blob',
    test: 'test/pds/blobs/blobs.test.ts',
  },
  {
    title: 'invite codes',
    atoll: 'checked and reserved first, before the identity is created',
    reference: 'last, after the identity, which is then tombstoned',
    why: 'no orphaned identities',
    cases: each(['com.atproto.server.createAccount < inviteCode: *'], '400 InvalidInviteCode', BAD_REQUEST),
  },
  {
    title: 'a handle that an inactive account has',
    atoll: 'is taken',
    reference: '500',
    why: '`@atproto/pds` notices too late',
    cases: each(['com.atproto.server.createAccount # * to a stranger'], BAD_REQUEST, INTERNAL),
  },
  {
    title: 'a second app password of the same name; an address that is taken (operator)',
    atoll: '400',
    reference: '500',
    why: 'it is the client’s mistake',
    cases: each(
      ['com.atproto.server.createAppPassword *', 'com.atproto.admin.updateAccountEmail # *'],
      BAD_REQUEST,
      INTERNAL,
    ),
  },
  {
    title: 'a new password for an unknown account (operator)',
    atoll: '400',
    reference: '200',
    why: 'nothing was set',
    cases: each(['com.atproto.admin.updateAccountPassword: of nobody'], BAD_REQUEST, '200'),
  },
  {
    title: '`sendEmail` without moderation SMTP',
    atoll: 'sent through the other mail server, or logged',
    reference: 'reported as sent, sends nothing',
    why: 'what is reported as sent is sent',
    test: 'test/pds/admin/account-infos.test.ts',
  },
  {
    title: 'mails without SMTP',
    atoll: 'codes are logged at warning level, or shown on the screen',
    reference: 'at debug level',
    why: 'the operator has to see them',
    test: 'test/pds/accounts/emails.test.ts',
  },
  {
    title: '`updateSubjectStatus` for an account hosted elsewhere',
    atoll: '400',
    reference: '200 and an `#account deleted` event',
    why: 'only accounts hosted here are announced',
    cases: each(['com.atproto.admin.updateSubjectStatus: nobody, down'], BAD_REQUEST, '200'),
  },
  {
    title: 'a token of a deleted account',
    atoll: '403 `AccountNotFound`',
    reference: '200, 400 or 500',
    why: 'one answer',
    cases: [
      { key: '* @ of nobody', ours: '403 AccountNotFound', reference: '*' },
      ...each(['com.atproto.repo.uploadBlob @ a moderator'], '403 AccountNotFound', INTERNAL),
    ],
  },
  {
    title: '`getServiceAuth` of a taken-down account',
    atoll: 'for `createAccount` only',
    reference: 'none or all, depending on the kind of token',
    why: 'its own stated rule',
    cases: [
      ...each(['com.atproto.server.getServiceAuth * tania*'], '400 InvalidToken', '200'),
      ...each(
        ['com.atproto.server.getServiceAuth: com.atproto.server.createAccount, scope com.atproto.takendown'],
        '200',
        BAD_REQUEST,
      ),
    ],
  },
  {
    title: '`getRecommendedDidCredentials` of a taken-down account',
    atoll: 'with its handle',
    reference: 'without',
    why: 'a takedown does not remove the handle',
    cases: each(
      ['com.atproto.identity.getRecommendedDidCredentials * tania*'],
      'body: {"alsoKnownAs":*',
      'body: {"rotationKeys":*',
    ),
  },
  {
    title: 'malformed fields in `signPlcOperation`',
    atoll: 'rejected',
    reference: 'signed',
    why: 'the directory would reject them',
    test: 'test/pds/accounts/identities.test.ts',
  },
  {
    title: 'an identity whose rotation keys are all its owner’s',
    atoll: 'can submit operations, and can be activated',
    reference: 'refused',
    why: 'which keys an identity has is its owner’s decision',
    test: 'test/pds/accounts/identities.test.ts',
  },
  {
    title: '`importedBlobs` in `checkAccountStatus`',
    atoll: 'counts blobs that records refer to',
    reference: 'counts every upload',
    why: 'tools compare it with `expectedBlobs`',
    cases: each(
      ['com.atproto.server.checkAccountStatus *'],
      'body: *"importedBlobs":*',
      'body: *"importedBlobs":*',
    ),
  },
  {
    title: '`resolveHandle` of a handle elsewhere that does not resolve',
    atoll: '`HandleNotFound`',
    reference: 'no error name',
    why: 'the lexicon defines it',
    test: 'test/pds/accounts/identities.test.ts',
  },
  {
    title: 'mailed codes, one-time codes and invite codes as people paste them',
    atoll: 'accepted with spaces, line breaks, other dashes or none',
    reference: 'exactly as issued',
    why: 'people paste codes',
    test: 'test/pds/accounts/credentials/email-tokens.test.ts',
  },
  {
    title: 'a proxy header, or a notification service, whose DID does not resolve',
    atoll: '400',
    reference: '500',
    why: 'it is the client’s mistake',
    cases: each(['app.bsky.notification.* < serviceDid: *'], BAD_REQUEST, INTERNAL),
  },
  {
    title: '`tools.ozone.*`',
    atoll: 'all of it goes to the moderation service',
    reference: 'a fixed list does',
    why: 'lists go out of date',
    test: 'test/pds/proxy/proxy.test.ts',
  },
  {
    title: 'the server’s own requests to the AppView',
    atoll: 'go through the SSRF guard',
    reference: 'do not',
    why: 'one way out',
    test: 'test/platform/fetch.test.ts',
  },
  {
    title: 'reserved names, and words not allowed in handles and keys',
    atoll: 'a list of names for the host and its machinery; no word list',
    reference: 'longer lists',
    why: 'the operator can take down what they do not want to host',
    cases: each(
      ['com.atproto.server.createAccount: handle "barackobama.test"'],
      '200',
      '400 HandleNotAvailable',
    ),
  },
  {
    title: 'secrets and bypass keys',
    atoll: 'compared in constant time',
    reference: 'with `===`',
    why: 'timing reveals nothing',
    test: 'test/journeys/operation.test.ts',
  },
  {
    title: '`activateAccount` and `requestAccountDelete` by an OAuth client',
    atoll: 'with `account:status?action=manage`, as for `deactivateAccount`',
    reference: 'refused',
    why: 'an app that may deactivate may reactivate; deletion itself takes the password and a mailed code',
    test: 'test/pds/oauth/account-store.test.ts',
  },
  {
    title: '`deactivateAccount` by an OAuth client',
    atoll: 'ends the other clients’ sessions, and app passwords',
    reference: 'ends the client’s own session too',
    why: 'it could not reactivate the account',
    test: 'test/pds/oauth/account-store.test.ts',
  },
  {
    title: 'a new password (by code or by the operator), a takedown',
    atoll:
      'ends every session at once, those of OAuth clients and browsers too, and issued access tokens; a new password also revokes app passwords',
    reference: 'ends refresh tokens of `createSession`',
    why: 'someone who stole the account may have authorized an app, or created an app password',
    cases: [
      {
        key: 'com.atproto.server.createSession: one who was taken down and may',
        ours: 'body: *gen=*',
        reference: 'body: *',
      },
    ],
    test: 'test/pds/accounts/sessions.test.ts',
  },
  {
    title: 'requests to other services by a taken-down account',
    atoll: 'refused with `AccountTakedown`, except `createReport` and its migration',
    reference: 'signed and forwarded',
    why: 'a takedown applies at once, to every method',
    cases: each(['app.bsky.* tania*'], '401 AccountTakedown', '200'),
    test: 'test/pds/accounts/sessions.test.ts',
  },
  {
    title: '`requestPasswordReset`',
    atoll: 'always 200, before the mail is sent',
    reference: '400 when there is no account, after the mail',
    why: 'who has an account here is private',
    cases: each(['com.atproto.server.requestPasswordReset*'], '200', BAD_REQUEST),
  },
  {
    title: 'a mail that cannot be sent',
    atoll: '502 with a sentence',
    reference: '500',
    why: 'people waiting for a code learn why none arrives',
    test: 'test/pds/accounts/emails.test.ts',
  },
  {
    title: 'service tokens with a long lifetime, or for `com.atproto.admin.*` with an app password',
    atoll: 'refused',
    reference: 'accepted',
    why: 'tokens last an hour at most, and an app password is not a moderator',
    cases: each(
      ['com.atproto.server.getServiceAuth: *com.atproto.admin.*, scope com.atproto.appPass*'],
      BAD_REQUEST,
      '200',
    ),
    test: 'test/pds/accounts/sessions.test.ts',
  },
  {
    title: 'accounts that migrated here and were never activated',
    atoll:
      'limited in number and bytes, per network and in total (`PDS_UNACTIVATED_*`); one whose migration stalls for weeks is emptied after a mail, and is deleted with its key only when its identity lives elsewhere',
    reference: 'kept forever, without limits',
    why: 'what strangers bring is bounded, and no key is lost that an identity names',
    test: 'test/pds/accounts/due-accounts.test.ts',
  },
  {
    title: 'passwords',
    atoll:
      'never empty; at least eight characters on the pages, and over XRPC on a public host (`PDS_PASSWORD_LENGTH_MIN`)',
    reference: 'anything over XRPC',
    why: 'an empty password signs anyone in',
    cases: [
      ...each(['com.atproto.* password: ""', 'com.atproto.*: an empty password'], '400 InvalidPassword', '*'),
    ],
    test: 'test/pds/accounts/sessions.test.ts',
  },
  {
    title: '`PDS_JWT_SECRET`, `PDS_ADMIN_PASSWORD` on a public host',
    atoll: 'at least 16 bytes',
    reference: 'anything',
    why: 'a short secret can be found offline, and then anyone can be impersonated',
    test: 'test/pds/config.test.ts',
  },
  {
    title: 'rate limits',
    atoll:
      'on by default on a public host; IPv6 clients by /64; `com.atproto.sync.*` has its own budget; long-running work and subscribers are shared out by network',
    reference: 'off by default, by address, none',
    why: 'one stranger must not take everything',
    test: 'test/journeys/operation.test.ts',
  },
  {
    title: 'sign-in attempts',
    atoll: 'counted by account, however its name is spelled, on every way to sign in',
    reference: 'by the text that was sent',
    why: 'a limit that another spelling avoids is no limit',
    test: 'test/pds/limits/sign-ins.test.ts',
  },
  {
    title: 'an identifier of more than 2,048 characters on `createSession`',
    atoll: '400',
    reference: '401',
    why: 'no account has one',
    cases: each(
      ['com.atproto.server.createSession < identifier: "xxx*'],
      BAD_REQUEST,
      '401 AuthenticationRequired',
    ),
  },
  {
    title: '`atproto-proxy` on `getRecord`',
    atoll: 'ignored',
    reference: 'followed',
    why: 'without an account behind it, this would be an open relay',
    test: 'test/pds/proxy/proxy.test.ts',
  },
  {
    title: 'responses below `/xrpc/`',
    atoll: '`nosniff`, and a content policy that runs nothing; a blob is never served as a script',
    reference: 'only blobs have it',
    why: 'strangers choose what is in them',
    test: 'test/pds/xrpc/index.test.ts',
  },
  {
    title: 'JSON nested deeper than 1,027 levels, records deeper than 1,024',
    atoll: '400 `InvalidRequest`',
    reference: '400, once the stack overflows',
    why: 'a bound with a name',
    test: 'test/pds/xrpc/index.test.ts',
  },
  {
    title: 'the sign-in and account pages',
    atoll: 'limited like the methods that do the same',
    reference: 'without limits',
    why: 'a limit that another way in avoids is no limit',
    test: 'test/pds/oauth/settings.test.ts',
  },
  {
    title: 'preferences without an AppView',
    atoll: 'stored here',
    reference: 'not available',
    why: 'a migrating account brings its own',
    test: 'test/pds/proxy/upstream.test.ts',
  },
  {
    title: 'a lost response to an OAuth refresh',
    atoll: 'the same tokens again for 30 seconds, to the same key',
    reference: 'ends the session',
    why: 'networks lose responses',
    test: 'test/pds/oauth/provider.test.ts',
  },
  {
    title: '`/oauth/revoke` without a DPoP proof',
    atoll: 'revokes, or returns an error',
    reference: '200, and the session continues',
    why: 'success means that it happened',
    test: 'test/pds/oauth/provider.test.ts',
  },
  {
    title: '`Content-Encoding` on `/oauth/*`',
    atoll: '415',
    reference: 'decompressed, whatever its size',
    why: 'no app sends it',
    test: 'test/pds/oauth/provider.test.ts',
  },
  {
    title: 'the library’s sign-in and account pages',
    atoll: 'with a link to the second factors, and a script that leads there',
    reference: 'as the library makes them',
    why: 'its sign-in only knows the mailed code',
    cases: each(
      ['GET /oauth/authorize*', 'GET /account*'],
      'content-security-policy*',
      'content-security-policy*',
    ),
  },
]
