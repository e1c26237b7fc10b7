import type { Asker } from '../../feeds/inquiries.ts'
import { itemOf } from '../asking.ts'
import { asker, checkedJson, endpoint, evaluations } from '../endpoint.ts'

interface Input {
  definition: unknown
  limit?: number
}

const LIMIT_DEFAULT = 30

/** What a definition would show now, and why. */
export default endpoint<object, Input, Asker>({
  auth: asker,
  rateLimit: [evaluations(1)],
  handle: async ({ input: { definition, limit = LIMIT_DEFAULT }, credentials: asker }, { inquiries }) => {
    const { items, stages, cost, warnings } = await inquiries.preview(definition, { ...asker, limit })
    return checkedJson({ feed: items.map(itemOf), stages, cost, warnings })
  },
})
