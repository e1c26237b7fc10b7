import type { AppViewServices } from '../services.ts'
import { patchedView } from './views.ts'

export default (services: Pick<AppViewServices, 'auth' | 'views'>) =>
  patchedView('app.bsky.feed.getActorLikes', services)
