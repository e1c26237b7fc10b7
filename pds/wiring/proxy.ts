/** Constructs what requests to other services go through. */
import type { IsProtected } from '../auth/methods.ts'
import type { Config } from '../config.ts'
import { AppView } from '../proxy/app-view.ts'
import { Destinations } from '../proxy/destinations.ts'
import { ServiceProxy } from '../proxy/proxy.ts'
import { Upstream } from '../proxy/upstream.ts'
import { Views } from '../proxy/views.ts'
import type { Services } from '../services.ts'

export function createProxy(
  { hostname, proxy: limits, services, identity }: Config,
  parts: Pick<Services, 'didDocuments' | 'auth' | 'accounts' | 'reader' | 'serviceTokens'> & {
    isProtected: IsProtected
  },
): Pick<Services, 'upstream' | 'destinations' | 'proxy' | 'appView' | 'views'> {
  const { auth, accounts, reader, serviceTokens: tokens, isProtected } = parts
  const upstream = new Upstream({ ...limits, allowPrivate: identity.allowPrivateAddresses })
  const destinations = new Destinations(parts.didDocuments, services)
  const proxy = new ServiceProxy({ upstream, destinations, auth, tokens, isProtected }, limits)
  const appView = services.appView && new AppView(services.appView, upstream, tokens)
  const images = { pattern: services.appView?.cdnUrlPattern, hostname }
  const views = appView && new Views({ proxy, upstream, appView, auth, accounts, reader }, images)
  return { upstream, destinations, proxy, appView, views }
}
