/** `npm run plc`: the PLC directory for this machine. PLC_PORT and PLC_DATA_DIRECTORY say where. */
import path from 'node:path'
import { lockDataDirectory } from '#platform/data-lock.ts'
import { PRIVATE_UMASK } from '#platform/private-files.ts'
import { runCommand, untilSignal } from './command.ts'
import { plcSettings } from './environment.ts'
import { SqlitePlcDatabase } from './plc/database.ts'
import { servePlc } from './plc/server.ts'

process.umask(PRIVATE_UMASK)

await runCommand(async () => {
  const stopped = untilSignal()
  const { port, dataDirectory } = plcSettings(process.env)
  using _lock = lockDataDirectory(dataDirectory, 'A PLC directory')
  await using directory = await servePlc(new SqlitePlcDatabase(path.join(dataDirectory, 'plc.sqlite')), port)
  console.log(`PLC directory answers at ${directory.url}`)
  await stopped
})
