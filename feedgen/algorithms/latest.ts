import { type Algorithm, cursorAt, pageOf, placeAt } from './algorithm.ts'

/** Every post that answers no other, newest first. */
export const latest: Algorithm = {
  name: 'latest',
  displayName: 'Latest',
  description: 'Every post as it comes, newest first. Answers are left out.',
  needsViewer: false,
  open:
    (index) =>
    async ({ limit, cursor }) => {
      const found = await index.newestPosts({ limit: limit + 1, after: placeAt(cursor) })
      return pageOf(found, limit, { item: ({ uri }) => ({ post: uri }), cursor: cursorAt })
    },
}
