/**
 * Signing in for the length of one command. The account's name may stand on the command line; its
 * password comes from the environment or is asked for, so that it is in nobody's shell history and
 * no list of processes.
 */
import { AtpAgent, ComAtprotoServerCreateSession } from '@atproto/api'
import { ask } from '../ask.ts'
import { question } from '../prompt.ts'
import { Network, type NetworkOptions } from './network.ts'

export interface AccountOptions extends NetworkOptions {
  /** A handle or DID; where `pds` is given, an e-mail address will do. */
  account?: string
}

export interface SignedIn {
  agent: AtpAgent
  network: Network
}

/** Runs `body` as the account that the options name, or that is asked for, and signs out again. */
export async function withAccount<T>(
  options: AccountOptions,
  body: (signedIn: SignedIn) => Promise<T>,
): Promise<T> {
  const network = new Network(options)
  const agent = await signIn(options, network)
  try {
    return await body({ agent, network })
  } finally {
    await agent.logout()
  }
}

async function signIn(options: AccountOptions, network: Network): Promise<AtpAgent> {
  const identifier = await accountName(options)
  const service = options.pds ?? (await network.findAccount(identifier)).pds
  const password =
    process.env.ATOLL_PASSWORD ||
    (await question(`Password of ${identifier}: `, 'ATOLL_PASSWORD is not set', { hidden: true }))
  const agent = new AtpAgent({ service })
  const login = (authFactorToken?: string) => agent.login({ identifier, password, authFactorToken })
  const loggedIn = login().catch(async (error) => {
    if (!(error instanceof ComAtprotoServerCreateSession.AuthFactorTokenRequiredError)) throw error
    return login(await question('Code from the mail: ', 'A code was sent by mail'))
  })
  await ask(`sign in as ${identifier}`, service, loggedIn)
  return agent
}

/** The account that acts: named by the options or the environment, or asked for. */
export async function accountName({ account }: AccountOptions): Promise<string> {
  const given = account || process.env.ATOLL_ACCOUNT
  const name = given || (await question('Handle: ', 'Neither --account nor ATOLL_ACCOUNT is given'))
  return name.replace(/^@/, '')
}
