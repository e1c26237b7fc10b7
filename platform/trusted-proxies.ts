/**
 * Whose word on the caller's address is believed: proxies in front of the server, as Express names
 * where they are.
 */
export const neighbours: readonly string[] = ['loopback', 'linklocal', 'uniquelocal']
