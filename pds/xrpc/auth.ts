/** Who may call an endpoint, and what OAuth clients need for methods of other services. */
import type {
  AdminCredentials,
  PersonCredentials,
  RefreshCredentials,
  ServiceCredentials,
} from '../auth/credentials.ts'
import type { PermissionRule } from '../auth/permissions.ts'
import type { AccessRules, AuthVerifier } from '../auth/verifier.ts'
import type { Services } from '../services.ts'
import type { Permission, UserAuth } from './endpoint.ts'

type Rules = Omit<AccessRules, 'permission'>
type WithAuth = Pick<Services, 'auth'>
/** The ways of the verifier that users come by. */
type UserWay<C> = (auth: AuthVerifier) => (exchange: Exchange, rules: AccessRules) => Promise<C>
type Exchange = Parameters<AuthVerifier['access']>[0]

const byUserWay =
  <C>(way: UserWay<C>) =>
  (rules: Rules = {}): UserAuth<C> =>
  (exchange, services, permission) => {
    const rule: PermissionRule = (permissions, request) => permission(permissions, request, services)
    return way(services.auth)(exchange, { ...rules, permission: rule })
  }

/** A user: by a session, or through an OAuth client. */
export const user = byUserWay<PersonCredentials>((auth) => auth.access.bind(auth))

/** A user, the operator, or anyone without credentials. */
export const viewer = byUserWay<PersonCredentials | AdminCredentials | null>((auth) =>
  auth.optional.bind(auth),
)

/** A user, or the same user from another server by a service token. */
export const userOrService = byUserWay<PersonCredentials | ServiceCredentials>((auth) =>
  auth.accessOrService.bind(auth),
)

/** A user, or the moderation service. */
export const userOrModeration = byUserWay<PersonCredentials | ServiceCredentials>((auth) =>
  auth.accessOrModeration.bind(auth),
)

/** The operator. */
export const admin = ({ request }: Exchange, { auth }: WithAuth): AdminCredentials => auth.admin(request)

/** The operator, or the moderation service. */
export const moderator = (
  { request }: Exchange,
  { auth }: WithAuth,
): Promise<AdminCredentials | ServiceCredentials> => auth.moderator(request)

/** A refresh token. */
export const refresh =
  (options: { allowExpired?: boolean } = {}) =>
  ({ request }: Exchange, { auth }: WithAuth): Promise<RefreshCredentials> =>
    auth.refresh(request, options)

/** Another service or an account elsewhere, by a service token, or anyone without credentials. */
export const optionalService = (
  { request }: Exchange,
  { auth }: WithAuth,
): Promise<ServiceCredentials | null> => auth.optionalService(request)

/**
 * The permission to have a request proxied to the service that it is meant for.
 * @param nsid the method that is called
 * @param more other methods that the service is asked for with it
 */
export const proxies =
  (nsid: string, ...more: string[]): Permission =>
  (permissions, request, { proxy }) =>
    proxy.permission(nsid, ...more)(permissions, request)
