/** `npm run pds`: the PDS alone, with the development environment of this machine around it. */
import { runCommand } from './command.ts'
import { pdsEnvironment } from './environment.ts'

await runCommand(async () => {
  Object.assign(process.env, pdsEnvironment(process.env))
  await import('../pds/main.ts')
})
