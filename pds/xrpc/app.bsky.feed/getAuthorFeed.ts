import type { AppViewServices } from '../../services.ts'
import { patchedView } from '../views.ts'

export default (services: Pick<AppViewServices, 'auth' | 'proxy' | 'views'>) =>
  patchedView('app.bsky.feed.getAuthorFeed', services)
