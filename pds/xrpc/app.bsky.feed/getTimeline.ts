import { patchedView } from '../views.ts'

export default patchedView('app.bsky.feed.getTimeline')
