/**
 * Handles: their syntax, what this server gives out under its own domains, and whose a name
 * elsewhere is. https://atproto.com/specs/handle
 */

import type { HandleResolver } from '@atproto/identity'
import { InvalidHandleError, isValidTld, normalizeAndEnsureValidHandle } from '@atproto/syntax'
import { DomainError } from '#platform/errors.ts'

/** Why a handle is refused, and the XRPC error name where `@atproto/pds` has one. */
const CODES = {
  syntax: 'InvalidHandle',
  domain: 'InvalidHandle',
  reserved: 'HandleNotAvailable',
  taken: 'HandleNotAvailable',
  unsupported: 'UnsupportedDomain',
  resolution: undefined,
} as const

/** A handle that cannot be had. `code` is the XRPC error name. */
export class HandleError extends DomainError<(typeof CODES)[keyof typeof CODES]> {
  override name = 'HandleError'
  readonly reason: keyof typeof CODES
  constructor(message: string, reason: HandleError['reason']) {
    super('invalid', message, CODES[reason])
    this.reason = reason
  }
}

/** Characters before the service's domain. */
const NAME_CHARACTERS_MIN = 3
const NAME_CHARACTERS_MAX = 18

/**
 * Names under our own domains that would be taken for the host itself, its operators or its
 * machinery.
 */
const RESERVED = new Set(
  `abuse about account accounts admin administrator admins api apis app apps assets atproto auth billing blob blobs blog bot
  cdn contact dashboard dev developer developers did dns docs download email example faq feed feedgen feeds files firehose
  forum ftp get git graphql handle handles health help home host hostmaster http https imap info invite invites jobs label
  labeler legal localhost login logout mail mailer media metrics mod moderation moderator moderators mods news noreply
  notify null oauth official ops pages password pds plc policy pop pop3 postmaster press privacy profile proxy public redirect register
  relay report reports repo root sandbox search secure security self server service services session sessions settings signin signup
  smtp ssh ssl staff staging static stats status store support sync sysadmin system team terms test tls tos undefined update updates
  upload uploads user users verify webhook webmaster webmail wellknown www xrpc`
    .split(/\s+/)
    .filter((name) => name.length >= NAME_CHARACTERS_MIN),
)

export interface HandleOptions {
  /** Also allows reserved names, for the operator. */
  readonly allowReserved?: boolean
}

export interface HandlesOptions {
  /** `.example.org`: names directly under these are given out here. */
  readonly serviceDomains: readonly string[]
  readonly resolver: HandleResolver
}

export class Handles {
  readonly serviceDomains: readonly string[]
  readonly #resolver: HandleResolver

  constructor({ serviceDomains, resolver }: HandlesOptions) {
    this.serviceDomains = serviceDomains
    this.#resolver = resolver
  }

  /**
   * The handle in its normal form (lower case).
   * @throws HandleError when it is no handle
   */
  normalize(handle: string): string {
    try {
      return normalizeAndEnsureValidHandle(handle)
    } catch (error) {
      if (error instanceof InvalidHandleError) throw new HandleError(error.message, 'syntax')
      throw error
    }
  }

  /** Whether a handle is ours to answer for: under one of our domains, or the domain itself. */
  isLocal(handle: string): boolean {
    return this.serviceDomains.some((domain) => handle.endsWith(domain) || handle === domain.slice(1))
  }

  /** The DID that a name outside this server resolves to, by DNS or by its well-known page. */
  async resolve(handle: string): Promise<string | undefined> {
    return this.#resolver.resolve(handle)
  }

  /**
   * Checks that an account may have the handle: the rules of our own domains, or that a name
   * elsewhere resolves to the account.
   * @param did the account's; undefined for one that is about to be made
   * @returns the handle in its normal form
   * @throws HandleError
   */
  async assertAllowed(
    wanted: string,
    did: string | undefined,
    { allowReserved = false }: HandleOptions = {},
  ): Promise<string> {
    const handle = this.normalize(wanted)
    if (!isValidTld(handle)) throw new HandleError('Handle TLD is invalid or disallowed', 'domain')
    const domain = this.serviceDomains.find((domain) => handle.endsWith(domain))
    if (domain !== undefined) {
      assertServiceName(handle.slice(0, -domain.length), allowReserved)
      return handle
    }
    if (did === undefined) throw new HandleError('Not a supported handle domain', 'unsupported')
    if ((await this.resolve(handle)) !== did)
      throw new HandleError('External handle did not resolve to DID', 'resolution')
    return handle
  }
}

function assertServiceName(name: string, allowReserved: boolean): void {
  if (name.includes('.')) throw new HandleError('Invalid characters in handle', 'syntax')
  if (name.length < NAME_CHARACTERS_MIN) throw new HandleError('Handle too short', 'syntax')
  if (name.length > NAME_CHARACTERS_MAX) throw new HandleError('Handle too long', 'syntax')
  if (!allowReserved && RESERVED.has(name)) throw new HandleError('Reserved handle', 'reserved')
}
