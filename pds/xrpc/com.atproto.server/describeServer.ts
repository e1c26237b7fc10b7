import type { Services } from '../../services.ts'
import { endpoint, json } from '../endpoint.ts'

export default ({ config, handles }: Pick<Services, 'config' | 'handles'>) =>
  endpoint<object>({
    handler: () =>
      json({
        did: config.serviceDid,
        availableUserDomains: handles.serviceDomains,
        inviteCodeRequired: config.invites.required,
        blobUploadLimit: config.blobs.bytesMax,
        links: { privacyPolicy: config.links.privacyPolicy, termsOfService: config.links.termsOfService },
        contact: { email: config.links.contactEmail },
      }),
  })
