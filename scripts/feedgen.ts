/**
 * `npm run feedgen`: the feed generator alone, with the development environment of this machine
 * around it.
 */
import { runCommand } from './command.ts'
import { feedgenEnvironment } from './environment.ts'

await runCommand(async () => {
  Object.assign(process.env, feedgenEnvironment(process.env))
  await import('../feedgen/main.ts')
})
