/** Every XRPC method that is served here: a file each, named by its NSID. */
import type { AppViewServices, Services } from '../services.ts'
import actorGetPreferences from './app.bsky.actor/getPreferences.ts'
import actorGetProfile from './app.bsky.actor/getProfile.ts'
import actorGetProfiles from './app.bsky.actor/getProfiles.ts'
import actorPutPreferences from './app.bsky.actor/putPreferences.ts'
import feedGetActorLikes from './app.bsky.feed/getActorLikes.ts'
import feedGetAuthorFeed from './app.bsky.feed/getAuthorFeed.ts'
import feedGetFeed from './app.bsky.feed/getFeed.ts'
import feedGetPostThread from './app.bsky.feed/getPostThread.ts'
import feedGetTimeline from './app.bsky.feed/getTimeline.ts'
import notificationRegisterPush from './app.bsky.notification/registerPush.ts'
import notificationUnregisterPush from './app.bsky.notification/unregisterPush.ts'
import adminDeleteAccount from './com.atproto.admin/deleteAccount.ts'
import adminDisableAccountInvites from './com.atproto.admin/disableAccountInvites.ts'
import adminDisableInviteCodes from './com.atproto.admin/disableInviteCodes.ts'
import adminEnableAccountInvites from './com.atproto.admin/enableAccountInvites.ts'
import adminGetAccountInfo from './com.atproto.admin/getAccountInfo.ts'
import adminGetAccountInfos from './com.atproto.admin/getAccountInfos.ts'
import adminGetInviteCodes from './com.atproto.admin/getInviteCodes.ts'
import adminGetSubjectStatus from './com.atproto.admin/getSubjectStatus.ts'
import adminSearchAccounts from './com.atproto.admin/searchAccounts.ts'
import adminSendEmail from './com.atproto.admin/sendEmail.ts'
import adminUpdateAccountEmail from './com.atproto.admin/updateAccountEmail.ts'
import adminUpdateAccountHandle from './com.atproto.admin/updateAccountHandle.ts'
import adminUpdateAccountPassword from './com.atproto.admin/updateAccountPassword.ts'
import adminUpdateSubjectStatus from './com.atproto.admin/updateSubjectStatus.ts'
import identityGetRecommendedDidCredentials from './com.atproto.identity/getRecommendedDidCredentials.ts'
import identityRefreshIdentity from './com.atproto.identity/refreshIdentity.ts'
import identityRequestPlcOperationSignature from './com.atproto.identity/requestPlcOperationSignature.ts'
import identityResolveDid from './com.atproto.identity/resolveDid.ts'
import identityResolveHandle from './com.atproto.identity/resolveHandle.ts'
import identityResolveIdentity from './com.atproto.identity/resolveIdentity.ts'
import identitySignPlcOperation from './com.atproto.identity/signPlcOperation.ts'
import identitySubmitPlcOperation from './com.atproto.identity/submitPlcOperation.ts'
import identityUpdateHandle from './com.atproto.identity/updateHandle.ts'
import moderationCreateReport from './com.atproto.moderation/createReport.ts'
import repoApplyWrites from './com.atproto.repo/applyWrites.ts'
import repoCreateRecord from './com.atproto.repo/createRecord.ts'
import repoDeleteRecord from './com.atproto.repo/deleteRecord.ts'
import repoDescribeRepo from './com.atproto.repo/describeRepo.ts'
import repoGetRecord from './com.atproto.repo/getRecord.ts'
import repoImportRepo from './com.atproto.repo/importRepo.ts'
import repoListMissingBlobs from './com.atproto.repo/listMissingBlobs.ts'
import repoListRecords from './com.atproto.repo/listRecords.ts'
import repoPutRecord from './com.atproto.repo/putRecord.ts'
import repoUploadBlob from './com.atproto.repo/uploadBlob.ts'
import serverActivateAccount from './com.atproto.server/activateAccount.ts'
import serverCheckAccountStatus from './com.atproto.server/checkAccountStatus.ts'
import serverConfirmEmail from './com.atproto.server/confirmEmail.ts'
import serverCreateAccount from './com.atproto.server/createAccount.ts'
import serverCreateAppPassword from './com.atproto.server/createAppPassword.ts'
import serverCreateInviteCode from './com.atproto.server/createInviteCode.ts'
import serverCreateInviteCodes from './com.atproto.server/createInviteCodes.ts'
import serverCreateSession from './com.atproto.server/createSession.ts'
import serverDeactivateAccount from './com.atproto.server/deactivateAccount.ts'
import serverDeleteAccount from './com.atproto.server/deleteAccount.ts'
import serverDeleteSession from './com.atproto.server/deleteSession.ts'
import serverDescribeServer from './com.atproto.server/describeServer.ts'
import serverGetAccountInviteCodes from './com.atproto.server/getAccountInviteCodes.ts'
import serverGetServiceAuth from './com.atproto.server/getServiceAuth.ts'
import serverGetSession from './com.atproto.server/getSession.ts'
import serverListAppPasswords from './com.atproto.server/listAppPasswords.ts'
import serverRefreshSession from './com.atproto.server/refreshSession.ts'
import serverRequestAccountDelete from './com.atproto.server/requestAccountDelete.ts'
import serverRequestEmailConfirmation from './com.atproto.server/requestEmailConfirmation.ts'
import serverRequestEmailUpdate from './com.atproto.server/requestEmailUpdate.ts'
import serverRequestPasswordReset from './com.atproto.server/requestPasswordReset.ts'
import serverReserveSigningKey from './com.atproto.server/reserveSigningKey.ts'
import serverResetPassword from './com.atproto.server/resetPassword.ts'
import serverRevokeAppPassword from './com.atproto.server/revokeAppPassword.ts'
import serverUpdateEmail from './com.atproto.server/updateEmail.ts'
import syncGetBlob from './com.atproto.sync/getBlob.ts'
import syncGetBlocks from './com.atproto.sync/getBlocks.ts'
import syncGetCheckout from './com.atproto.sync/getCheckout.ts'
import syncGetHead from './com.atproto.sync/getHead.ts'
import syncGetLatestCommit from './com.atproto.sync/getLatestCommit.ts'
import syncGetRecord from './com.atproto.sync/getRecord.ts'
import syncGetRepo from './com.atproto.sync/getRepo.ts'
import syncGetRepoStatus from './com.atproto.sync/getRepoStatus.ts'
import syncListBlobs from './com.atproto.sync/listBlobs.ts'
import syncListRepos from './com.atproto.sync/listRepos.ts'
import syncListReposByCollection from './com.atproto.sync/listReposByCollection.ts'
import tempCheckSignupQueue from './com.atproto.temp/checkSignupQueue.ts'
import type { AnyEndpoint } from './endpoint.ts'
import adminRemoveSecondFactors from './social.atoll.admin/removeSecondFactors.ts'

/** The methods by NSID, each made from the services it asks for. */
export const endpoints: Record<string, (services: Services) => AnyEndpoint> = {
  'app.bsky.actor.getPreferences': actorGetPreferences,
  'app.bsky.actor.putPreferences': actorPutPreferences,
  'com.atproto.admin.deleteAccount': adminDeleteAccount,
  'com.atproto.admin.disableAccountInvites': adminDisableAccountInvites,
  'com.atproto.admin.disableInviteCodes': adminDisableInviteCodes,
  'com.atproto.admin.enableAccountInvites': adminEnableAccountInvites,
  'com.atproto.admin.getAccountInfo': adminGetAccountInfo,
  'com.atproto.admin.getAccountInfos': adminGetAccountInfos,
  'com.atproto.admin.getInviteCodes': adminGetInviteCodes,
  'com.atproto.admin.getSubjectStatus': adminGetSubjectStatus,
  'com.atproto.admin.searchAccounts': adminSearchAccounts,
  'com.atproto.admin.sendEmail': adminSendEmail,
  'com.atproto.admin.updateAccountEmail': adminUpdateAccountEmail,
  'com.atproto.admin.updateAccountHandle': adminUpdateAccountHandle,
  'com.atproto.admin.updateAccountPassword': adminUpdateAccountPassword,
  'com.atproto.admin.updateSubjectStatus': adminUpdateSubjectStatus,
  'com.atproto.identity.getRecommendedDidCredentials': identityGetRecommendedDidCredentials,
  'com.atproto.identity.refreshIdentity': identityRefreshIdentity,
  'com.atproto.identity.requestPlcOperationSignature': identityRequestPlcOperationSignature,
  'com.atproto.identity.resolveDid': identityResolveDid,
  'com.atproto.identity.resolveHandle': identityResolveHandle,
  'com.atproto.identity.resolveIdentity': identityResolveIdentity,
  'com.atproto.identity.signPlcOperation': identitySignPlcOperation,
  'com.atproto.identity.submitPlcOperation': identitySubmitPlcOperation,
  'com.atproto.identity.updateHandle': identityUpdateHandle,
  'com.atproto.moderation.createReport': moderationCreateReport,
  'com.atproto.repo.applyWrites': repoApplyWrites,
  'com.atproto.repo.createRecord': repoCreateRecord,
  'com.atproto.repo.deleteRecord': repoDeleteRecord,
  'com.atproto.repo.describeRepo': repoDescribeRepo,
  'com.atproto.repo.getRecord': repoGetRecord,
  'com.atproto.repo.importRepo': repoImportRepo,
  'com.atproto.repo.listMissingBlobs': repoListMissingBlobs,
  'com.atproto.repo.listRecords': repoListRecords,
  'com.atproto.repo.putRecord': repoPutRecord,
  'com.atproto.repo.uploadBlob': repoUploadBlob,
  'com.atproto.server.activateAccount': serverActivateAccount,
  'com.atproto.server.checkAccountStatus': serverCheckAccountStatus,
  'com.atproto.server.confirmEmail': serverConfirmEmail,
  'com.atproto.server.createAccount': serverCreateAccount,
  'com.atproto.server.createAppPassword': serverCreateAppPassword,
  'com.atproto.server.createInviteCode': serverCreateInviteCode,
  'com.atproto.server.createInviteCodes': serverCreateInviteCodes,
  'com.atproto.server.createSession': serverCreateSession,
  'com.atproto.server.deactivateAccount': serverDeactivateAccount,
  'com.atproto.server.deleteAccount': serverDeleteAccount,
  'com.atproto.server.deleteSession': serverDeleteSession,
  'com.atproto.server.describeServer': serverDescribeServer,
  'com.atproto.server.getAccountInviteCodes': serverGetAccountInviteCodes,
  'com.atproto.server.getServiceAuth': serverGetServiceAuth,
  'com.atproto.server.getSession': serverGetSession,
  'com.atproto.server.listAppPasswords': serverListAppPasswords,
  'com.atproto.server.refreshSession': serverRefreshSession,
  'com.atproto.server.requestAccountDelete': serverRequestAccountDelete,
  'com.atproto.server.requestEmailConfirmation': serverRequestEmailConfirmation,
  'com.atproto.server.requestEmailUpdate': serverRequestEmailUpdate,
  'com.atproto.server.requestPasswordReset': serverRequestPasswordReset,
  'com.atproto.server.reserveSigningKey': serverReserveSigningKey,
  'com.atproto.server.resetPassword': serverResetPassword,
  'com.atproto.server.revokeAppPassword': serverRevokeAppPassword,
  'com.atproto.server.updateEmail': serverUpdateEmail,
  'com.atproto.sync.getBlob': syncGetBlob,
  'com.atproto.sync.getBlocks': syncGetBlocks,
  'com.atproto.sync.getCheckout': syncGetCheckout,
  'com.atproto.sync.getHead': syncGetHead,
  'com.atproto.sync.getLatestCommit': syncGetLatestCommit,
  'com.atproto.sync.getRecord': syncGetRecord,
  'com.atproto.sync.getRepo': syncGetRepo,
  'com.atproto.sync.getRepoStatus': syncGetRepoStatus,
  'com.atproto.sync.listBlobs': syncListBlobs,
  'com.atproto.sync.listRepos': syncListRepos,
  'com.atproto.sync.listReposByCollection': syncListReposByCollection,
  'com.atproto.temp.checkSignupQueue': tempCheckSignupQueue,
  'social.atoll.admin.removeSecondFactors': adminRemoveSecondFactors,
}

/** Those that are served here only when the operator named an AppView; without one they are passed on as all others. */
export const appViewEndpoints: Record<string, (services: AppViewServices) => AnyEndpoint> = {
  'app.bsky.actor.getProfile': actorGetProfile,
  'app.bsky.actor.getProfiles': actorGetProfiles,
  'app.bsky.feed.getActorLikes': feedGetActorLikes,
  'app.bsky.feed.getAuthorFeed': feedGetAuthorFeed,
  'app.bsky.feed.getFeed': feedGetFeed,
  'app.bsky.feed.getPostThread': feedGetPostThread,
  'app.bsky.feed.getTimeline': feedGetTimeline,
  'app.bsky.notification.registerPush': notificationRegisterPush,
  'app.bsky.notification.unregisterPush': notificationUnregisterPush,
}
