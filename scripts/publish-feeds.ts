/**
 * `npm run publish-feeds` and `unpublish-feeds`: the records of the built-in feeds, written into an account's repository or removed from it.
 */
import { once } from 'node:events'
import { createInterface } from 'node:readline/promises'
import { Writable } from 'node:stream'
import { parseArgs } from 'node:util'
import { AtpAgent } from '@atproto/api'
import { algorithms } from '../feedgen/algorithms/index.ts'
import { readConfig } from '../feedgen/config.ts'
import { publishFeeds, unpublishFeeds } from '../feedgen/publish.ts'
import { ask } from './ask.ts'
import { CommandError, runCommand, UsageError } from './command.ts'
import { feedgenEnvironment, pdsUrl } from './environment.ts'

const names = algorithms.map(({ name }) => name)

const HELP = `npm run publish-feeds -- [option...]      write the records of the built-in feeds
npm run unpublish-feeds -- [option...]    remove them

  --service URL         the PDS of the account (default ${pdsUrl(process.env)})
  --identifier NAME     its handle, DID or e-mail address (default FEEDGEN_PUBLISHER_DID)
  --password WORD       its password, or better an app password (default FEEDGEN_PUBLISHER_PASSWORD)
  --feed NAME           only this feed (several times: these); one of ${names.join(', ')}
  --remove              remove instead of write

What is missing is asked for on a terminal. The records name the feed generator that FEEDGEN_SERVICE_DID, or else FEEDGEN_HOSTNAME, says.
Ends with 0 when all is done, 1 when something failed, 2 when the command line is wrong.`

await runCommand(async () => {
  const { values } = parse(process.argv.slice(2))
  if (values.help) return console.log(HELP)
  const feeds = chosenFeeds(values.feed)
  const service = values.service ?? pdsUrl(process.env)
  if (!URL.canParse(service)) throw new UsageError(`--service is not a URL: ${service}`)
  const { serviceDid } = readConfig(feedgenEnvironment(process.env))
  const identifier =
    values.identifier || process.env.FEEDGEN_PUBLISHER_DID || (await question('Handle: ', '--identifier'))
  const password =
    values.password ||
    process.env.FEEDGEN_PUBLISHER_PASSWORD ||
    (await question(`Password of ${identifier}: `, '--password', { hidden: true }))

  const agent = new AtpAgent({ service })
  await ask(`log in as ${identifier}`, service, agent.login({ identifier, password }))
  const change = values.remove ? unpublishFeeds : publishFeeds
  const done = change({ agent, serviceDid, feeds })
  for (const { uri, outcome } of await ask('change the records', service, done)) {
    console.log(`${outcome.padEnd(10)} ${uri}`)
  }
})

function parse(args: string[]) {
  try {
    return parseArgs({
      args,
      options: {
        service: { type: 'string' },
        identifier: { type: 'string' },
        password: { type: 'string' },
        feed: { type: 'string', multiple: true },
        remove: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    })
  } catch (error) {
    throw new UsageError(`${(error as Error).message}\n\n${HELP}`)
  }
}

function chosenFeeds(chosen: string[] = names) {
  const unknown = chosen.filter((name) => !names.includes(name))
  if (unknown.length > 0)
    throw new UsageError(`No feed is called ${unknown.join(', ')}: there are ${names.join(', ')}.`)
  return algorithms.filter(({ name }) => chosen.includes(name))
}

/** Asks the user; what is typed is not shown when it is hidden. */
async function question(prompt: string, option: string, { hidden = false } = {}): Promise<string> {
  if (!process.stdin.isTTY) {
    throw new UsageError(`${option} is missing, and there is no terminal to ask on; see --help.`)
  }
  const silence = new Writable({ write: (_chunk, _encoding, done) => done() })
  const output = hidden ? silence : process.stdout
  const terminal = createInterface({ input: process.stdin, output, terminal: true })
  // Ctrl-C and Ctrl-D.
  const closed = once(terminal, 'close').then(() => '')
  if (hidden) process.stdout.write(prompt)
  const answer = await Promise.race([terminal.question(prompt), closed])
  terminal.close()
  if (hidden) process.stdout.write('\n')
  if (answer === '') throw new CommandError('Nothing was entered.')
  return answer
}
