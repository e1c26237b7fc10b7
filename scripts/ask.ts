/** Calls to services, whose failures are told as a user of a script needs them. */
import { XRPCError } from '@atproto/api'
import { CommandError } from './command.ts'

/** The status that the client gives to a request that got no answer. */
const NO_ANSWER = 1

/**
 * The answer of a service to a call of the official client.
 * @param what completes "Could not ...": `log in as alice.test`
 * @throws CommandError that says what was asked of whom and what came back; its cause is the
 * client's error
 */
export async function ask<T>(what: string, url: string | URL, answer: Promise<T>): Promise<T> {
  try {
    return await answer
  } catch (error) {
    if (!(error instanceof XRPCError)) throw error
    const how =
      error.status === NO_ANSWER
        ? `nothing answers at ${url}. Is it up (npm start)?`
        : `${url} says ${error.status} ${error.error}: ${error.message}`
    throw new CommandError(`Could not ${what}: ${how}`, { cause: error })
  }
}
