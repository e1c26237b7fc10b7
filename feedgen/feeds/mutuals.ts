import type { Algorithm } from './algorithm.ts'
import { timelineOf } from './timeline.ts'

/** What the accounts that follow the viewer and are followed by him post and repost, newest first. */
export const mutuals: Algorithm = {
  name: 'mutuals',
  displayName: 'Mutuals',
  description: 'What the accounts post and repost that you follow and that follow you, newest first.',
  needsViewer: true,
  asksMutuals: true,
  open: (index) => timelineOf(index, 'mutuals'),
}
