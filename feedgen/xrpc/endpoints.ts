/** The methods served here. */
export { default as 'app.bsky.feed.describeFeedGenerator' } from './app.bsky.feed/describeFeedGenerator.ts'
export { default as 'app.bsky.feed.getFeedSkeleton' } from './app.bsky.feed/getFeedSkeleton.ts'
export { default as 'app.bsky.feed.sendInteractions' } from './app.bsky.feed/sendInteractions.ts'
export { default as 'social.atoll.feed.backtest' } from './social.atoll.feed/backtest.ts'
export { default as 'social.atoll.feed.explain' } from './social.atoll.feed/explain.ts'
export { default as 'social.atoll.feed.getAlgorithm' } from './social.atoll.feed/getAlgorithm.ts'
export { default as 'social.atoll.feed.listAlgorithms' } from './social.atoll.feed/listAlgorithms.ts'
export { default as 'social.atoll.feed.preview' } from './social.atoll.feed/preview.ts'
