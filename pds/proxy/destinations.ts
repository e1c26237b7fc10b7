/** The target service of a request: that of its `atproto-proxy` header, or the method's default. */

import { getServiceEndpoint } from '@atproto/common-web'
import { DomainError } from '#platform/errors.ts'
import type { DidDocuments } from '../identity/did-documents.ts'

/** A service of a DID document, and where it answers. */
export interface Destination {
  readonly did: string
  /** The name of the service in the document, without `#`. */
  readonly serviceId: string
  readonly url: string
}

/** A service that the operator named. */
export interface NamedService {
  readonly url: string
  readonly did: string
}

/** The services that methods go to when a request names none. */
export interface DefaultServices {
  readonly appView: NamedService | undefined
  readonly moderation: NamedService | undefined
  readonly reports: NamedService | undefined
}

export const APP_VIEW_ID = 'bsky_appview'
const LABELER_ID = 'atproto_labeler'
const NOTIFICATIONS_ID = 'bsky_notif'

export class Destinations {
  readonly #documents: DidDocuments
  readonly #defaults: DefaultServices

  constructor(documents: DidDocuments, defaults: DefaultServices) {
    this.#documents = documents
    this.#defaults = defaults
  }

  /**
   * Where a request for a method goes.
   * @param header its `atproto-proxy` header, if it has one
   * @throws DomainError when no service is named, or the one that is cannot be found
   */
  async find(nsid: string, header: string | undefined): Promise<Destination> {
    if (header) return this.#named(header)
    const { serviceId, service } = this.#default(nsid)
    if (service === undefined) throw new DomainError('invalid', `No service configured for ${nsid}`)
    return { ...service, serviceId }
  }

  /**
   * The service that a request for a method is meant for, as permissions name it: a DID and the id
   * of a service.
   * @throws DomainError when none is named
   */
  audience(nsid: string, header: string | undefined): string {
    if (header) return header
    const { serviceId, service } = this.#default(nsid)
    if (service === undefined) throw new DomainError('invalid', `No service configured for ${nsid}`)
    return `${service.did}#${serviceId}`
  }

  /** Whether a request for a method goes to the AppView of this server. */
  isAppView(nsid: string, header: string | undefined): boolean {
    const { appView } = this.#defaults
    if (header) return appView !== undefined && header === `${appView.did}#${APP_VIEW_ID}`
    return this.#default(nsid).service === appView
  }

  /**
   * The notification service of a DID.
   * @throws DomainError
   */
  async notifications(did: string): Promise<Destination> {
    const document = await this.#documents.find(did)
    if (document === undefined) throw new DomainError('invalid', `could not resolve did document: ${did}`)
    const url = getServiceEndpoint(document, { id: `#${NOTIFICATIONS_ID}`, type: 'BskyNotificationService' })
    if (url === undefined) {
      throw new DomainError('invalid', `invalid notification service details in did document: ${did}`)
    }
    return { did, serviceId: NOTIFICATIONS_ID, url }
  }

  async #named(header: string): Promise<Destination> {
    const { did, serviceId } = parseHeader(header)
    const { appView } = this.#defaults
    if (did === appView?.did && serviceId === APP_VIEW_ID) return { did, serviceId, url: appView.url }
    const document = await this.#documents.find(did)
    if (document === undefined) throw new DomainError('invalid', 'could not resolve proxy did')
    const url = getServiceEndpoint(document, { id: `#${serviceId}` })
    if (url === undefined) throw new DomainError('invalid', 'could not resolve proxy did service url')
    return { did, serviceId, url }
  }

  #default(nsid: string): { serviceId: string; service: NamedService | undefined } {
    const { appView, moderation, reports } = this.#defaults
    if (nsid === 'com.atproto.moderation.createReport') return { serviceId: LABELER_ID, service: reports }
    if (nsid.startsWith('tools.ozone.')) return { serviceId: LABELER_ID, service: moderation }
    return { serviceId: APP_VIEW_ID, service: appView }
  }
}

/** @throws DomainError */
function parseHeader(header: string): Pick<Destination, 'did' | 'serviceId'> {
  const [did = '', serviceId = '', ...more] = header.split('#')
  if (did === '') throw new DomainError('invalid', 'no did specified in proxy header')
  if (serviceId === '' && more.length === 0)
    throw new DomainError('invalid', 'no service id specified in proxy header')
  if (more.length > 0) throw new DomainError('invalid', 'invalid proxy header format')
  if (header.includes(' ')) throw new DomainError('invalid', 'proxy header cannot contain spaces')
  return { did, serviceId }
}
