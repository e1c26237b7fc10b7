import { endpoint, json } from '../endpoint.ts'

export default endpoint<object>({
  handle: (_call, { config, handles }) =>
    json({
      did: config.serviceDid,
      availableUserDomains: handles.serviceDomains,
      inviteCodeRequired: config.invites.required,
      blobUploadLimit: config.blobs.bytesMax,
      links: { privacyPolicy: config.links.privacyPolicy, termsOfService: config.links.termsOfService },
      contact: { email: config.links.contactEmail },
    }),
})
