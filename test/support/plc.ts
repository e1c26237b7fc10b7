/** A PLC directory in this process, on a free port, whose operations are gone with it. */
import { SqlitePlcDatabase } from '../../scripts/plc/database.ts'
import { type PlcDirectory, servePlc } from '../../scripts/plc/server.ts'

export type { PlcDirectory } from '../../scripts/plc/server.ts'

/** Starts a directory with no operations. */
export function startPlc(): Promise<PlcDirectory> {
  return servePlc(new SqlitePlcDatabase(':memory:'), 0)
}
