/** The methods that not every token may call through another service. Their names are compared without regard to case. */

/** Methods that no other service may call in a person's name. */
const PROTECTED = lowerCased(
  'com.atproto.admin.sendEmail',
  'com.atproto.identity.requestPlcOperationSignature',
  'com.atproto.identity.signPlcOperation',
  'com.atproto.identity.updateHandle',
  'com.atproto.server.activateAccount',
  'com.atproto.server.confirmEmail',
  'com.atproto.server.createAppPassword',
  'com.atproto.server.deactivateAccount',
  'com.atproto.server.getAccountInviteCodes',
  'com.atproto.server.getSession',
  'com.atproto.server.listAppPasswords',
  'com.atproto.server.requestAccountDelete',
  'com.atproto.server.requestEmailConfirmation',
  'com.atproto.server.requestEmailUpdate',
  'com.atproto.server.revokeAppPassword',
  'com.atproto.server.updateEmail',
)

/** Methods that a plain app password does not reach: other people's messages, and moving the account away. */
const PRIVILEGED = lowerCased(
  'chat.bsky.actor.deleteAccount',
  'chat.bsky.actor.exportAccountData',
  'chat.bsky.convo.deleteMessageForSelf',
  'chat.bsky.convo.getConvo',
  'chat.bsky.convo.getConvoForMembers',
  'chat.bsky.convo.getLog',
  'chat.bsky.convo.getMessages',
  'chat.bsky.convo.leaveConvo',
  'chat.bsky.convo.listConvos',
  'chat.bsky.convo.muteConvo',
  'chat.bsky.convo.sendMessage',
  'chat.bsky.convo.sendMessageBatch',
  'chat.bsky.convo.unmuteConvo',
  'chat.bsky.convo.updateRead',
  'com.atproto.server.createAccount',
)

/** Whether no service token may be made for the method, and no request for it passed on. */
export const isProtected = (nsid: string): boolean => PROTECTED.has(nsid.toLowerCase())

/** Whether the method asks for the account's password, or an app password that says so. */
export const isPrivileged = (nsid: string): boolean => PRIVILEGED.has(nsid.toLowerCase())

/** What belongs to moderators and operators: it asks for the account's own password, as no app password stands in for that. */
const ADMIN_NAMESPACE = 'com.atproto.admin.'

/** Whether no app password reaches the method, whatever it may do otherwise. */
export const isForOwnPassword = (nsid: string): boolean => nsid.toLowerCase().startsWith(ADMIN_NAMESPACE)

function lowerCased(...nsids: string[]): ReadonlySet<string> {
  return new Set(nsids.map((nsid) => nsid.toLowerCase()))
}
