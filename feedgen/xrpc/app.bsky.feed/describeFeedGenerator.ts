import { checkedJson, endpoint } from '../endpoint.ts'

/** Which feeds this service serves. */
export default endpoint<object>({
  handle: async (_call, { feeds, site }) => {
    const served = await feeds.list()
    return checkedJson({ did: site.serviceDid, feeds: served.map(({ uri }) => ({ uri })) })
  },
})
