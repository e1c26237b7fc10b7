/**
 * The methods that are served here when the operator named an AppView; otherwise they are proxied.
 */
export { default as 'app.bsky.actor.getProfile' } from './app.bsky.actor/getProfile.ts'
export { default as 'app.bsky.actor.getProfiles' } from './app.bsky.actor/getProfiles.ts'
export { default as 'app.bsky.feed.getActorLikes' } from './app.bsky.feed/getActorLikes.ts'
export { default as 'app.bsky.feed.getAuthorFeed' } from './app.bsky.feed/getAuthorFeed.ts'
export { default as 'app.bsky.feed.getFeed' } from './app.bsky.feed/getFeed.ts'
export { default as 'app.bsky.feed.getPostThread' } from './app.bsky.feed/getPostThread.ts'
export { default as 'app.bsky.feed.getTimeline' } from './app.bsky.feed/getTimeline.ts'
export { default as 'app.bsky.notification.registerPush' } from './app.bsky.notification/registerPush.ts'
export { default as 'app.bsky.notification.unregisterPush' } from './app.bsky.notification/unregisterPush.ts'
