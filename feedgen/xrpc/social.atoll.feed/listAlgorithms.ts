import { decodeCursor, encodeCursor } from '../../feeds/cursor.ts'
import { checkedJson, endpoint } from '../endpoint.ts'

interface Params {
  creator?: string
  limit: number
  cursor?: string
}

/** The definitions known here. */
export default endpoint<Params>({
  handle: ({ params: { creator, limit, cursor } }, { inquiries }) => {
    const [after] = cursor ? decodeCursor(cursor, ['number']) : [0]
    const { algorithms, last } = inquiries.algorithms({ creator, after: after as number, limit })
    return checkedJson({ algorithms, cursor: last === undefined ? undefined : encodeCursor([last]) })
  },
})
