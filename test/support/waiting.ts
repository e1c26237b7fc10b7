import { vi } from 'vitest'

/**
 * Waits until a check passes: as long as a busy machine takes. What never comes fails with the
 * check's own message.
 */
export const waitFor = <T>(check: () => T | Promise<T>): Promise<T> => vi.waitFor(check, { timeout: 60_000 })
