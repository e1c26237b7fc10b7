import type { Algorithm } from './algorithm.ts'
import { timelineOf } from './timeline.ts'

/** What the accounts that the viewer follows post and repost, newest first. */
export const following: Algorithm = {
  name: 'following',
  displayName: 'Following, in order',
  description:
    'What the accounts you follow post and repost, newest first, nothing left out and nothing put in.',
  needsViewer: true,
  open: (index) => timelineOf(index, 'follows'),
}
