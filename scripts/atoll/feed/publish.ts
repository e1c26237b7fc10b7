/** `atoll feed publish` and `unpublish`: the records of one's own feeds. */
import path from 'node:path'
import { isValidRecordKey } from '@atproto/syntax'
import { type Command, Option } from 'commander'
import { missingOf } from '../../../feedgen/algorithm/references.ts'
import { CommandError, UsageError } from '../../command.ts'
import { question } from '../../prompt.ts'
import { Network } from '../network.ts'
import { command, examples, recordKey, withSignIn } from '../options.ts'
import { type OutputOptions, printNote } from '../output.ts'
import { type AccountOptions, type SignedIn, withAccount } from '../sign-in.ts'
import { builtInNames, publishBuiltIn, unpublishBuiltIn } from './built-in.ts'
import { printChanges } from './changes.ts'
import { readDefinitionFile, warningLine } from './file.ts'
import { findHost, hostWith, presetHost } from './host.ts'
import { generatorOf, type Presentation, uploadAvatar, withPresentation } from './presentation.ts'
import { algorithmOf, type Change, changeFeed, hostOf } from './records.ts'
import { parseOwnFeed } from './reference.ts'
import { untilServed } from './serving.ts'

const builtInOption = () =>
  new Option(
    '--built-in [names...]',
    'instead: the feeds that every host has by itself, all or these',
  ).choices(builtInNames)

interface BuiltInOptions {
  /** True stands for all of them. */
  builtIn?: true | string[]
  host?: string
}

type PublishOptions = AccountOptions &
  OutputOptions &
  Presentation &
  BuiltInOptions & { rkey?: string; wait?: boolean }

/** `atoll feed publish` */
export function publishCommand(): Command {
  return withSignIn(
    withPresentation(command('publish', 'write a feed into your repository, or bring it up to date')),
  )
    .argument('[file]', 'the definition of its algorithm')
    .option('--rkey <key>', "the record key, for ever (default: the file's name)", recordKey)
    .option('--wait', 'until the host serves it, or says why it does not')
    .addOption(builtInOption())
    .addHelpText(
      'after',
      examples({
        'atoll feed publish cats.json --name Cats --host feeds.example.com':
          'a new feed, or the definition of the one with the key "cats"; what else its record holds stays as it is',
        'atoll feed publish --built-in hot latest': 'two of the feeds that every host has',
      }),
    )
    .action(async (file: string | undefined, options: PublishOptions) => {
      if ((file === undefined) === (options.builtIn === undefined)) {
        throw new UsageError('Give the file of a definition, or --built-in.')
      }
      printChanges(options, await (file === undefined ? publishOwn(options) : publishFile(file, options)))
    })
}

async function publishFile(file: string, options: PublishOptions): Promise<Change[]> {
  const network = new Network(options)
  const { record, plan, warnings } = await readDefinitionFile(file, network)
  const missing = await missingOf(plan.definition, network.find)
  for (const warning of [...warnings, ...missing]) printNote(warningLine(warning))
  const rkey = options.rkey ?? keyOfFile(file)
  return withAccount(options, async ({ agent, network }) => {
    const host = options.host === undefined ? undefined : await findHost(options.host, network)
    const avatar = options.avatar === undefined ? undefined : await uploadAvatar(agent, options.avatar)
    let did = ''
    let algorithm = record
    const change = await changeFeed(agent, rkey, (before) => {
      did = host?.did ?? hostOf(before.generator) ?? presetHost().did
      algorithm = algorithmOf(before, record)
      return {
        generator: generatorOf(before, { ...options, rkey, did, avatar, definition: plan.definition }),
        algorithm,
      }
    })
    if (options.wait) await untilServed(host ?? (await hostWith(did, network)), change.uri, algorithm)
    return [change]
  })
}

async function publishOwn(options: PublishOptions): Promise<Change[]> {
  return withAccount(options, async (signedIn) =>
    publishBuiltIn(signedIn.agent, await builtInHost(options, signedIn), namesOf(options)),
  )
}

type UnpublishOptions = AccountOptions & OutputOptions & BuiltInOptions & { yes?: boolean }

/** `atoll feed unpublish` */
export function unpublishCommand(): Command {
  return withSignIn(command('unpublish', 'remove a feed, and with it its likes and pins'))
    .argument('[feed]', 'its key or URI')
    .option('-y, --yes', 'do not ask first')
    .addOption(builtInOption())
    .option('--host <host>', 'with --built-in: only what this one serves, by its DID, URL or host name')
    .addHelpText(
      'after',
      examples({ 'atoll feed unpublish cats': 'asks, and removes both records of the feed' }),
    )
    .action(async (name: string | undefined, options: UnpublishOptions) => {
      if ((name === undefined) === (options.builtIn === undefined)) {
        throw new UsageError('Give the key or URI of a feed, or --built-in.')
      }
      const changes = await withAccount(options, async (signedIn) => {
        const { agent } = signedIn
        if (name === undefined) {
          return unpublishBuiltIn(agent, await builtInHost(options, signedIn), namesOf(options))
        }
        const rkey = parseOwnFeed(name, agent)
        if (!options.yes) await confirm(rkey)
        return [await changeFeed(agent, rkey, () => ({}))]
      })
      printChanges(options, changes)
    })
}

async function builtInHost({ host }: BuiltInOptions, { network }: SignedIn): Promise<string> {
  return host === undefined ? presetHost().did : (await findHost(host, network)).did
}

function namesOf({ builtIn }: BuiltInOptions): string[] | undefined {
  return builtIn === true ? undefined : builtIn
}

function keyOfFile(file: string): string {
  const key = path.basename(file, path.extname(file))
  if (file === '-' || !isValidRecordKey(key)) throw new UsageError('Give the record key with --rkey.')
  return key
}

async function confirm(rkey: string): Promise<void> {
  const prompt = `Remove the feed ${rkey} and its definition? Its likes and pins are lost. (yes/no) `
  if ((await question(prompt, '--yes is missing')) !== 'yes') throw new CommandError('Nothing was changed.')
}
