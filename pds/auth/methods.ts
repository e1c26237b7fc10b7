/**
 * The methods that not every token may call through another service. Their names are compared
 * without regard to case.
 */

/**
 * Methods that a plain app password does not reach: other people's messages, and moving the account
 * away.
 */
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

/** Whether the method asks for the account's password, or an app password that says so. */
export const isPrivileged = (nsid: string): boolean => PRIVILEGED.has(nsid.toLowerCase())

/**
 * What belongs to moderators and operators: it asks for the account's own password, as no app
 * password stands in for that.
 */
const ADMIN_NAMESPACE = 'com.atproto.admin.'

/** Whether no app password reaches the method, whatever it may do otherwise. */
export const isForOwnPassword = (nsid: string): boolean => nsid.toLowerCase().startsWith(ADMIN_NAMESPACE)

/** Says which methods no other service may call in a user's name. */
export type IsProtected = (nsid: string) => boolean

/** @param nsids those of the endpoints that are protected */
export function protectedMethods(nsids: readonly string[]): IsProtected {
  const names = lowerCased(...nsids)
  return (nsid) => names.has(nsid.toLowerCase())
}

function lowerCased(...nsids: string[]): ReadonlySet<string> {
  return new Set(nsids.map((nsid) => nsid.toLowerCase()))
}
