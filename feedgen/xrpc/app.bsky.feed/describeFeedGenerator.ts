import { checkedJson, endpoint } from '../endpoint.ts'

/** The feeds of this service. */
export default endpoint<object>({
  handle: async (_call, { feeds, site }) => {
    const served = await feeds.list()
    return checkedJson({ did: site.serviceDid, feeds: served.map(({ uri }) => ({ uri })) })
  },
})
