import { type Algorithm, cursorAt, pageOf, placeAt } from './algorithm.ts'

/** Every post that answers no other, newest first. */
export const latest: Algorithm = {
  name: 'latest',
  displayName: 'Latest',
  description: 'Every post as it comes, newest first. Answers are left out.',
  needsViewer: false,
  open:
    (index) =>
    async ({ viewer, limit, cursor }) => {
      const found = await index.newestPosts({
        limit: limit + 1,
        after: placeAt(cursor),
        signedIn: viewer !== '',
      })
      return pageOf(found, limit, { item: ({ post }) => ({ post }), cursor: ({ place }) => cursorAt(place) })
    },
}
