/** A PDS that the tests of a file share. */
import { afterAll, beforeAll } from 'vitest'
import type { Substitutes } from '../../pds/wiring/services.ts'
import { createUser, type InProcessPds, type PdsOptions, startPds, type TestUser } from './pds.ts'
import { type PlcDirectory, startPlc } from './plc.ts'

/** A PDS that the tests of a file share, with the directory that it registers accounts with. */
export interface SharedPds {
  readonly plc: PlcDirectory
  readonly pds: InProcessPds
  /** An account that is there from the start. */
  readonly user: TestUser
}

/**
 * Has a directory, a PDS and a user there while the tests of a file, or of a `describe`, run. Tests
 * that need more make accounts, not servers.
 * @param name the user's, before `.test`
 * @returns what is there; it can be looked at once the tests run
 */
export function withPds(name: string, options: Omit<PdsOptions, 'plcUrl'> & Substitutes = {}): SharedPds {
  const stack = new AsyncDisposableStack()
  const shared = {} as { -readonly [key in keyof SharedPds]: SharedPds[key] }
  beforeAll(async () => {
    shared.plc = stack.use(await startPlc())
    shared.pds = stack.use(await startPds({ plcUrl: shared.plc.url, ...options }))
    shared.user = await createUser(shared.pds, name)
  })
  afterAll(() => stack.disposeAsync())
  return shared
}
