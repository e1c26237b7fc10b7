/**
 * `npm start`: the PLC directory, the PDS and the feed generator on this machine, each a process of
 * its own, each keeping its data.
 *
 * They start in that order and stop in the other one. When one ends by itself the others are
 * stopped too. With PDS_DID_PLC_URL set, that directory is used and none is started.
 */
import { lockDataDirectory } from '#platform/data-lock.ts'
import { CommandError, runCommand, untilSignal } from './command.ts'
import {
  type Environment,
  feedgenEnvironment,
  feedgenSettings,
  pdsEnvironment,
  pdsSettings,
  plcSettings,
  type ServiceSettings,
} from './environment.ts'
import { isPortFree, launch, type RunningProcess, untilReady } from './processes.ts'

interface Service extends ServiceSettings {
  name: string
  title: string
  file: string
  /** What answers with success once it serves. */
  healthPath: string
  environment(env: Environment): Environment
}

const services = (env: Environment): Service[] => [
  ...(env.PDS_DID_PLC_URL ? [] : [plcService(env)]),
  {
    name: 'pds',
    title: 'PDS',
    file: 'pds/main.ts',
    healthPath: '/xrpc/_health',
    environment: pdsEnvironment,
    ...pdsSettings(env),
  },
  {
    name: 'feedgen',
    title: 'feed generator',
    file: 'feedgen/main.ts',
    healthPath: '/xrpc/app.bsky.feed.describeFeedGenerator',
    environment: feedgenEnvironment,
    ...feedgenSettings(env),
  },
]

const plcService = (env: Environment): Service => ({
  name: 'plc',
  title: 'PLC directory',
  file: 'scripts/plc.ts',
  healthPath: '/_health',
  environment: (env) => env,
  ...plcSettings(env),
})

const url = ({ port }: Service) => `http://localhost:${port}`

await runCommand(async () => {
  const signalled = untilSignal()
  const line = services(process.env)
  await refuseWhatIsInUse(line)

  await using running = new AsyncDisposableStack()
  const ended = Promise.withResolvers<never>()
  // Until someone waits for it, an ending is no unhandled rejection.
  ended.promise.catch(() => {})
  for (const service of line) {
    const child = running.use(start(service))
    child.exited.then((code) => {
      const how = code === null ? 'was killed' : `ended with code ${code}`
      ended.reject(new CommandError(`${service.title} ${how}; everything is stopped.`))
    })
    const ready = untilReady(child, url(service) + service.healthPath, service.title)
    // A signal stops the start as well.
    if ((await Promise.race([ready, signalled, ended.promise])) !== undefined) return
  }
  console.log(welcome(line))
  await Promise.race([signalled, ended.promise])
  console.log('\nStopping ...')
})

/** Before anything is started, so that what runs already is not disturbed. */
async function refuseWhatIsInUse(line: Service[]): Promise<void> {
  for (const { title, dataDirectory } of line)
    lockDataDirectory(dataDirectory, `A ${title}`)[Symbol.dispose]()
  for (const { name, title, port } of line) {
    if (await isPortFree(port)) continue
    throw new CommandError(
      `Port ${port}, which the ${title} needs, is in use. Stop what listens there, or set ${name.toUpperCase()}_PORT.`,
    )
  }
}

function start({ name, file, environment }: Service): RunningProcess {
  const prefix = `${name.padEnd(7)} | `
  return launch({ file, env: environment(process.env), onLine: (line) => console.log(prefix + line) })
}

function welcome(line: Service[]): string {
  const width = Math.max(...line.map(({ title }) => title.length)) + 2
  return [
    '',
    ...line.map((service) => `  ${service.title.padEnd(width)}${url(service)}`),
    '',
    'Try next, in another terminal:',
    '  npm run demo               a small neighbourhood, and what each feed makes of it',
    '  npm run publish-feeds      the built-in feeds as records of an account of yours',
    '  npx atoll feed --help      algorithms of your own',
    `  curl ${url(line.find(({ name }) => name === 'pds') as Service)}/xrpc/com.atproto.server.describeServer`,
    '',
    'Ctrl-C stops everything; the data stays.',
    '',
    'ready',
  ].join('\n')
}
