/**
 * Every difference from the reference that is meant: a row of the README's table each. What the rows say is seen in the answers (`cases`;
 * one that no longer differs fails the suite, and so does a difference without one), or in a test of its own.
 */

/** A request whose answers differ; `*` stands for any text. Either what each side says, or what our answer has besides the reference's. */
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
    atoll: 'one in the event',
    reference: 'one each',
    why: 'a consumer compares each with the tree afterwards, and refuses the reference’s',
    test: 'test/conformance/reference.test.ts',
  },
  {
    title: 'creating a record that is there, changing or deleting one that is not',
    atoll: '400',
    reference: '500',
    why: 'the caller’s mistake',
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
    title: 'values that the data model does not have',
    atoll: '400',
    reference: '500, or another value is stored',
    why: 'the caller’s mistake, and never another record than was sent',
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
    title: 'records of an account that is not active',
    atoll:
      '`RepoDeactivated` or `RepoTakendown`, as `com.atproto.sync.*` says (`getRecord` asks the AppView where there is one); its owner and the operator read them',
    reference: 'not found, by several names',
    why: 'one state, one answer; an owner may see what is theirs',
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
    test: 'test/pds/repo/reading.test.ts',
  },
  {
    title: 'a form (`multipart/*`) sent to `uploadBlob`',
    atoll: '400, unless a record that moved in refers to it',
    reference: 'stored as it is',
    why: 'it is no picture, and the record that shows it fails later',
    cases: each(['com.atproto.repo.uploadBlob ! type multipart/form-data; boundary=x'], BAD_REQUEST, '200'),
  },
  {
    title: 'a blob whose bytes are gone from the disk or the bucket',
    atoll:
      'missing: `listMissingBlobs` names it, `checkAccountStatus` does not count it, a new upload puts it back',
    reference: 'there, until it is asked for',
    why: 'only its owner can bring it back, and nobody tells them otherwise',
    test: 'test/pds/blobs.test.ts',
  },
  {
    title: 'CIDs of version 0',
    atoll: 'no CIDs',
    reference: 'CIDs of nothing that is there',
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
    title: 'cursors that are none of ours',
    atoll: '400',
    reference: 'compared as text',
    why: 'the caller’s mistake',
    cases: each(
      ['com.atproto.sync.listBlobs ? cursor=*', 'com.atproto.repo.listMissingBlobs ? cursor=*'],
      BAD_REQUEST,
      '200',
    ),
  },
  {
    title: 'handles in capitals',
    atoll: 'the same as in small letters',
    reference: 'sometimes unknown',
    why: 'handles and host names do not depend on case',
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
    title: 'rubbish for a service token, and strange paths',
    atoll: '401 `BadJwt`, 400 `InvalidToken`, 404',
    reference: '500',
    why: 'rubbish from outside is no fault of the server',
    cases: [
      ...each(['* @ "Bearer x.y.z"'], '401 BadJwt', INTERNAL),
      ...each(['* @ "Bearer x*"'], '400 InvalidToken', INTERNAL),
      { key: '* // {}', ours: '*04', reference: '500*' },
    ],
  },
  {
    title: 'answers to credentials that cannot be read',
    atoll: 'kept from caches',
    reference: 'like public ones',
    why: 'who shows credentials, bad ones too, wants nothing that others get',
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
    why: 'nobody lacks credentials there',
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
    title: '`/xrpc/_health` on a disk with no room for a post',
    atoll: '503',
    reference: '200',
    why: 'whoever watches it should hear',
    test: 'test/pds/limits/disk-space.test.ts',
  },
  {
    title: '`/xrpc/_health` by other verbs than GET',
    atoll: '404',
    reference: '400',
    why: 'it is a page, not a method',
    cases: each(['* /xrpc/_health {}'], '404', BAD_REQUEST),
  },
  {
    title: 'the version in `/xrpc/_health`',
    atoll: 'Atoll’s',
    reference: 'its own',
    why: 'another software',
    cases: each(['GET /xrpc/_health {}'], 'body: {"version":*}', 'body: {"version":*}'),
  },
  {
    title: 'sessions and their second factor',
    atoll:
      '`emailAuthFactor` says whether one is asked for, and `updateEmail` asks for one once the address is confirmed',
    reference: 'has none',
    why: 'the lexicon has it',
    cases: [
      { key: '*', addition: '"emailAuthFactor":false,' },
      ...each(['com.atproto.server.updateEmail < emailAuthFactor: true'], BAD_REQUEST, '200'),
    ],
  },
  {
    title: 'parts of blobs (`Range`)',
    atoll: 'handed out',
    reference: 'the whole blob',
    why: 'players ask for them',
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
    title: 'a blob whose bytes say what it is',
    atoll: 'has that type',
    reference: 'may keep the type that was claimed',
    why: 'a record that gave it another would be refused',
    cases: each(
      ['com.atproto.repo.uploadBlob ! *'],
      'body: {"blob":*"mimeType":*',
      'body: {"blob":*"mimeType":*',
    ),
  },
  {
    title: 'a blob whose bytes say nothing',
    atoll: 'has the type that a record gives it, or that a later upload says',
    reference: 'keeps the first upload’s word, `*/*` too',
    why: 'a word that says nothing is none',
    test: 'test/pds/blobs/references.test.ts',
  },
  {
    title: 'small CAR files',
    atoll: 'sent with their length, as they are',
    reference: 'streamed and compressed',
    why: 'hashes do not get smaller',
    cases: each(['com.atproto.sync.get* ! compressed'], 'content-encoding: ', 'content-encoding: gzip'),
  },
  {
    title: '`importRepo` of a bad archive, or another account’s',
    atoll: '400, nothing changed',
    reference: '500, or partly unchecked',
    why: 'it could not be served or verified',
    cases: each(['com.atproto.repo.importRepo *'], BAD_REQUEST, INTERNAL),
  },
  {
    title: 'records that moved in with values that the data model does not have',
    atoll:
      'read, integers with all their digits; a misused `$type`, `$link` or `$bytes` may stay when such a record is edited',
    reference: 'some are 500, and the page of `listRecords` with them',
    why: 'one odd record must not hide the others',
    test: 'test/pds/repo/import.test.ts',
  },
  {
    title: 'bodies packed several times over, or into far less than they unpack to',
    atoll: '415, 413',
    reference: 'unpacked',
    why: 'a few kilobytes would fill the disk',
    test: 'test/pds/xrpc/bodies.test.ts',
  },
  {
    title: 'an upload that does not unpack',
    atoll: '400',
    reference: '500',
    why: 'the caller’s mistake',
    cases: each(
      ['com.atproto.repo.uploadBlob ! encoding gzip, wrongly'],
      BAD_REQUEST,
      '500 InternalServerError',
    ),
  },
  {
    title: 'blobs without `PDS_BLOB_UPLOAD_LIMIT`',
    atoll: '100 MiB',
    reference: '5 MiB',
    why: 'a video is larger',
    test: 'test/pds/config.test.ts',
  },
  {
    title: 'a body above the limit',
    atoll: '413 with the limit',
    reference: '413',
    why: 'who sends it can do something about it',
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
    title: 'a body that is refused before it is whole',
    atoll: 'read on and dropped within bounds, and its connection closes',
    reference: 'a reset, or a kept connection that nobody reads',
    why: 'the client hears why, and a proxy’s next request is answered',
    test: 'test/pds/edge.test.ts',
  },
  {
    title: '`importRepo` without `PDS_MAX_REPO_IMPORT_SIZE`',
    atoll: '1 GiB as unpacked',
    reference: 'the limit of blobs',
    why: 'repositories are larger than blobs, and end somewhere',
    test: 'test/pds/repo/import.test.ts',
  },
  {
    title: 'uploads and imports on a disk that is almost full',
    atoll: '507 `InsufficientStorage`',
    reference: 'until the disk is full',
    why: 'everything else goes on',
    test: 'test/pds/xrpc/bodies.test.ts',
  },
  {
    title: 'bodies that arrive at less than 1 KB a second',
    atoll: '408 `RequestTimeout`',
    reference: 'are waited for',
    why: 'they hold places that others wait for',
    test: 'test/pds/xrpc/bodies.test.ts',
  },
  {
    title: 'the commit after an import',
    atoll: 'our own, its rev above the archive’s',
    reference: 'the old host’s signature stays',
    why: 'relays check it against this host’s key',
    test: 'test/pds/repo/import.test.ts',
  },
  {
    title: 'a write during an import',
    atoll: 'the import fails with `InvalidSwap`',
    reference: 'the write waits',
    why: 'no write is lost, nobody waits for minutes',
    test: 'test/pds/repo/import.test.ts',
  },
  {
    title: 'blobs that no record refers to',
    atoll: 'gone a day after the upload',
    reference: 'at once, or never',
    why: 'they can be referred to again; temporary ones go too',
    test: 'test/pds/blobs.test.ts',
  },
  {
    title: 'S3',
    atoll: 'one upload to its place, with its digest',
    reference: 'to `tmp/`, then copied',
    why: 'never half a blob',
    test: 'test/pds/blobs.test.ts',
  },
  {
    title: 'invite codes',
    atoll: 'checked and held before anything else, and before the identity is made',
    reference: 'last, after the identity, which is then tombstoned',
    why: 'no orphaned identities',
    cases: each(['com.atproto.server.createAccount < inviteCode: *'], '400 InvalidInviteCode', BAD_REQUEST),
  },
  {
    title: 'a handle that one who is not active has',
    atoll: 'is taken',
    reference: '500',
    why: 'the reference finds out too late',
    cases: each(['com.atproto.server.createAccount # * to a stranger'], BAD_REQUEST, INTERNAL),
  },
  {
    title: 'a second app password of one name; an address that is taken (operator)',
    atoll: '400',
    reference: '500',
    why: 'the caller’s mistake',
    cases: each(
      ['com.atproto.server.createAppPassword *', 'com.atproto.admin.updateAccountEmail # *'],
      BAD_REQUEST,
      INTERNAL,
    ),
  },
  {
    title: 'a new password for nobody (operator)',
    atoll: '400',
    reference: '200',
    why: 'nothing was set',
    cases: each(['com.atproto.admin.updateAccountPassword: of nobody'], BAD_REQUEST, '200'),
  },
  {
    title: '`sendEmail` without moderation SMTP',
    atoll: 'by the other mail server, or the log',
    reference: 'says sent, sends nothing',
    why: 'what was said to be sent is sent',
    test: 'test/pds/admin/accounts.test.ts',
  },
  {
    title: 'mails without SMTP',
    atoll: 'their codes at warning level, or on the screen',
    reference: 'at debug level',
    why: 'the operator must see them',
    test: 'test/pds/mail/addresses.test.ts',
  },
  {
    title: '`updateSubjectStatus` for an account not here',
    atoll: '400',
    reference: '200 and an `#account deleted`',
    why: 'nothing is announced that is not ours',
    cases: each(['com.atproto.admin.updateSubjectStatus: nobody, down'], BAD_REQUEST, '200'),
  },
  {
    title: 'a token of an account that is gone',
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
    reference: 'none, or all, by the kind of token',
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
    why: 'a takedown does not take the name away',
    cases: each(
      ['com.atproto.identity.getRecommendedDidCredentials * tania*'],
      'body: {"alsoKnownAs":*',
      'body: {"rotationKeys":*',
    ),
  },
  {
    title: 'malformed fields in `signPlcOperation`',
    atoll: 'refused',
    reference: 'signed',
    why: 'the directory would not take it',
    test: 'test/pds/accounts/identities.test.ts',
  },
  {
    title: 'an identity whose rotation keys are its owner’s alone',
    atoll: 'may submit operations, and be activated',
    reference: 'refused',
    why: 'whose keys an identity has is for its owner to say',
    test: 'test/pds/accounts/identities.test.ts',
  },
  {
    title: '`importedBlobs` in `checkAccountStatus`',
    atoll: 'of the blobs that records refer to',
    reference: 'every upload',
    why: 'tools compare it with `expectedBlobs`',
    cases: each(
      ['com.atproto.server.checkAccountStatus *'],
      'body: *"importedBlobs":*',
      'body: *"importedBlobs":*',
    ),
  },
  {
    title: '`resolveHandle` of a name elsewhere that does not resolve',
    atoll: '`HandleNotFound`',
    reference: 'no name',
    why: 'the lexicon has it',
    test: 'test/pds/accounts/identities.test.ts',
  },
  {
    title: 'mailed codes, one-time codes and invite codes as people paste them',
    atoll: 'with blanks, line ends, another dash or none',
    reference: 'exactly as they were made',
    why: 'what people paste',
    test: 'test/pds/accounts/credentials/email-tokens.test.ts',
  },
  {
    title: 'a proxy header, or a service for notifications, whose DID does not resolve',
    atoll: '400',
    reference: '500',
    why: 'the caller’s mistake',
    cases: each(['app.bsky.notification.* < serviceDid: *'], BAD_REQUEST, INTERNAL),
  },
  {
    title: '`tools.ozone.*`',
    atoll: 'all of it to the moderation service',
    reference: 'a list',
    why: 'the list goes out of date',
    test: 'test/pds/proxy.test.ts',
  },
  {
    title: 'the server’s own calls to the AppView',
    atoll: 'under the guard',
    reference: 'not',
    why: 'one way out',
    test: 'test/platform/fetch.test.ts',
  },
  {
    title: 'reserved names, and words not had in handles and keys',
    atoll: 'a list of names for the host and its machinery; no list of words',
    reference: 'longer lists',
    why: 'the operator can take down what he will not have',
    cases: each(
      ['com.atproto.server.createAccount: handle "barackobama.test"'],
      '200',
      '400 HandleNotAvailable',
    ),
  },
  {
    title: 'secrets, bypass keys',
    atoll: 'compared in constant time',
    reference: '`===`',
    why: 'how long an answer takes says nothing',
    test: 'test/pds/operation.test.ts',
  },
  {
    title: '`activateAccount` and `requestAccountDelete` by an app that was let in',
    atoll: 'with `account:status?action=manage`, as `deactivateAccount`',
    reference: 'refused',
    why: 'who may leave may come back; the deletion itself takes the password and a mailed code',
    test: 'test/pds/oauth/accounts.test.ts',
  },
  {
    title: '`deactivateAccount` by an app that was let in',
    atoll: 'ends the other apps, and app passwords',
    reference: 'ends the app itself too',
    why: 'it could not activate the account again',
    test: 'test/pds/oauth/accounts.test.ts',
  },
  {
    title: 'a new password (by code or by the operator), a takedown',
    atoll:
      'ends every session at once: of apps and browsers too, and access tokens that were issued; a new password ends app passwords too',
    reference: 'ends the refresh tokens of `createSession`',
    why: 'whoever stole the account may have let an app in, or made an app password',
    cases: [
      {
        key: 'com.atproto.server.createSession: one who was taken down and may',
        ours: 'body: *gen=*',
        reference: 'body: *',
      },
    ],
    test: 'test/pds/accounts/session-ends.test.ts',
  },
  {
    title: 'requests to other services by an account that is taken down',
    atoll: 'refused with `AccountTakedown`, but for `createReport` and its move',
    reference: 'signed and sent on',
    why: 'a takedown holds at once, whichever method is asked',
    cases: each(['app.bsky.* tania*'], '401 AccountTakedown', '200'),
    test: 'test/pds/accounts/session-ends.test.ts',
  },
  {
    title: '`requestPasswordReset`',
    atoll: 'answered with 200 for everybody, before the mail',
    reference: '400 where there is no account, after the mail',
    why: 'who has an account is nobody’s to find out',
    cases: each(['com.atproto.server.requestPasswordReset*'], '200', BAD_REQUEST),
  },
  {
    title: 'a mail that does not leave',
    atoll: '502 with a sentence',
    reference: '500',
    why: 'whoever waits for a code hears why none comes',
    test: 'test/pds/mail/addresses.test.ts',
  },
  {
    title: 'service tokens of a long life, or for `com.atproto.admin.*` by an app password',
    atoll: 'refused',
    reference: 'taken',
    why: 'tokens are made for an hour at most, and an app password is no moderator',
    cases: each(
      ['com.atproto.server.getServiceAuth: *com.atproto.admin.*, scope com.atproto.appPass*'],
      BAD_REQUEST,
      '200',
    ),
    test: 'test/pds/accounts/session-ends.test.ts',
  },
  {
    title: 'accounts that moved in and were never active',
    atoll:
      'their number and bytes are limited, per network and in all (`PDS_UNACTIVATED_*`); one whose move stands still for weeks is emptied after a mail, and its account and key go only when its identity lives elsewhere',
    reference: 'kept for good, without limits',
    why: 'what strangers bring is bounded, and no key is lost that an identity names',
    test: 'test/pds/accounts/due-accounts.test.ts',
  },
  {
    title: 'passwords',
    atoll:
      'never empty; eight characters on the pages, and over XRPC on a public host (`PDS_PASSWORD_LENGTH_MIN`)',
    reference: 'any over XRPC',
    why: 'an empty one signs anybody in',
    cases: [
      ...each(['com.atproto.* password: ""', 'com.atproto.*: an empty password'], '400 InvalidPassword', '*'),
    ],
    test: 'test/pds/accounts/session-ends.test.ts',
  },
  {
    title: '`PDS_JWT_SECRET`, `PDS_ADMIN_PASSWORD` on a public host',
    atoll: 'of 16 bytes at least',
    reference: 'any',
    why: 'a short secret is found offline, and whoever has it is everybody',
    test: 'test/pds/config.test.ts',
  },
  {
    title: 'limits',
    atoll:
      'on by default on a public host; IPv6 callers by their /64; `com.atproto.sync.*` has a budget of its own; what takes long, and subscribers, a share for each network',
    reference: 'off by default, by address, none',
    why: 'one stranger must not take all of it',
    test: 'test/pds/operation.test.ts',
  },
  {
    title: 'attempts to sign in',
    atoll: 'counted for the account, by any spelling and any way in',
    reference: 'by the text that was sent',
    why: 'a limit that another spelling does not have is none',
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
    why: 'without an account behind it, it makes this an open relay',
    test: 'test/pds/proxy.test.ts',
  },
  {
    title: 'responses below `/xrpc/`',
    atoll: '`nosniff`, and a content policy that lets nothing run; a blob is not handed out as a script',
    reference: 'only blobs have it',
    why: 'strangers put what they like into them',
    test: 'test/pds/edge.test.ts',
  },
  {
    title: 'JSON of more than 1,027 levels, and records of more than 1,024',
    atoll: '400 `InvalidRequest`',
    reference: '400, when the stack is used up',
    why: 'a bound with a name',
    test: 'test/pds/edge.test.ts',
  },
  {
    title: 'the sign-in and account pages',
    atoll: 'as often as the methods that do the same',
    reference: 'without limits',
    why: 'a limit that another way in does not have is none',
    test: 'test/pds/oauth/settings.test.ts',
  },
  {
    title: 'preferences without an AppView',
    atoll: 'kept here',
    reference: 'nobody’s',
    why: 'an account brings its own along',
    test: 'test/pds/upstream.test.ts',
  },
  {
    title: 'a lost answer to an OAuth refresh',
    atoll: 'the same tokens again for 30 seconds, to the same key',
    reference: 'ends the session',
    why: 'networks lose answers',
    test: 'test/pds/oauth/app.test.ts',
  },
  {
    title: '`/oauth/revoke` without a DPoP proof',
    atoll: 'revokes; where it does not, an error says so',
    reference: '200, and the session goes on',
    why: 'success is said of what was done',
    test: 'test/pds/oauth/app.test.ts',
  },
  {
    title: '`Content-Encoding` on `/oauth/*`',
    atoll: '415',
    reference: 'unpacked, whatever its size',
    why: 'no app sends it',
    test: 'test/pds/oauth/app.test.ts',
  },
  {
    title: 'the sign-in and account pages of the library',
    atoll: 'with a link to the second factors, and a script that leads there',
    reference: 'as the library makes them',
    why: 'its sign-in knows the mailed code only',
    cases: each(
      ['GET /oauth/authorize*', 'GET /account*'],
      'content-security-policy*',
      'content-security-policy*',
    ),
  },
]
