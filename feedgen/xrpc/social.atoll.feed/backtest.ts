import type { Asker } from '../../feeds/inquiries.ts'
import { asker, checkedJson, endpoint, evaluations } from '../endpoint.ts'

interface Input {
  definition: unknown
  days?: number
}

const POINTS = 10

/** How many posts a definition would have matched, hour by hour. */
export default endpoint<object, Input, Asker>({
  auth: asker,
  rateLimit: [evaluations(POINTS)],
  handle: async ({ input: { definition, days = 1 }, credentials: asker }, { inquiries }) => {
    const { hours, ...rest } = await inquiries.backtest(definition, {
      ...asker,
      hours: days * 24,
    })
    const sent = hours.map(({ at, posts }) => ({ at: new Date(at).toISOString(), posts }))
    return checkedJson({ hours: sent, ...rest })
  },
})
