/** Every XRPC method that is served here: a file each, named by its NSID. */
import type { Services } from '../services.ts'
import identityResolveHandle from './com.atproto.identity.resolveHandle.ts'
import identityUpdateHandle from './com.atproto.identity.updateHandle.ts'
import repoApplyWrites from './com.atproto.repo.applyWrites.ts'
import repoCreateRecord from './com.atproto.repo.createRecord.ts'
import repoDeleteRecord from './com.atproto.repo.deleteRecord.ts'
import repoDescribeRepo from './com.atproto.repo.describeRepo.ts'
import repoGetRecord from './com.atproto.repo.getRecord.ts'
import repoListRecords from './com.atproto.repo.listRecords.ts'
import repoPutRecord from './com.atproto.repo.putRecord.ts'
import repoUploadBlob from './com.atproto.repo.uploadBlob.ts'
import serverCreateAccount from './com.atproto.server.createAccount.ts'
import serverCreateSession from './com.atproto.server.createSession.ts'
import serverDeleteSession from './com.atproto.server.deleteSession.ts'
import serverDescribeServer from './com.atproto.server.describeServer.ts'
import serverGetServiceAuth from './com.atproto.server.getServiceAuth.ts'
import serverGetSession from './com.atproto.server.getSession.ts'
import serverRefreshSession from './com.atproto.server.refreshSession.ts'
import syncGetBlob from './com.atproto.sync.getBlob.ts'
import syncGetBlocks from './com.atproto.sync.getBlocks.ts'
import syncGetCheckout from './com.atproto.sync.getCheckout.ts'
import syncGetHead from './com.atproto.sync.getHead.ts'
import syncGetLatestCommit from './com.atproto.sync.getLatestCommit.ts'
import syncGetRecord from './com.atproto.sync.getRecord.ts'
import syncGetRepo from './com.atproto.sync.getRepo.ts'
import syncGetRepoStatus from './com.atproto.sync.getRepoStatus.ts'
import syncListBlobs from './com.atproto.sync.listBlobs.ts'
import syncListRepos from './com.atproto.sync.listRepos.ts'
import type { AnyEndpoint } from './endpoint.ts'

/** The methods by NSID, each made from the services it asks for. */
export const endpoints: Record<string, (services: Services) => AnyEndpoint> = {
  'com.atproto.identity.resolveHandle': identityResolveHandle,
  'com.atproto.identity.updateHandle': identityUpdateHandle,
  'com.atproto.repo.applyWrites': repoApplyWrites,
  'com.atproto.repo.createRecord': repoCreateRecord,
  'com.atproto.repo.deleteRecord': repoDeleteRecord,
  'com.atproto.repo.describeRepo': repoDescribeRepo,
  'com.atproto.repo.getRecord': repoGetRecord,
  'com.atproto.repo.listRecords': repoListRecords,
  'com.atproto.repo.putRecord': repoPutRecord,
  'com.atproto.repo.uploadBlob': repoUploadBlob,
  'com.atproto.server.createAccount': serverCreateAccount,
  'com.atproto.server.createSession': serverCreateSession,
  'com.atproto.server.deleteSession': serverDeleteSession,
  'com.atproto.server.describeServer': serverDescribeServer,
  'com.atproto.server.getServiceAuth': serverGetServiceAuth,
  'com.atproto.server.getSession': serverGetSession,
  'com.atproto.server.refreshSession': serverRefreshSession,
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
}
