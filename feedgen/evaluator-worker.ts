/** The thread of an evaluator: a job comes in, an answer goes out. */
import { parentPort, workerData } from 'node:worker_threads'
import type { AccountId } from './algorithm/facts.ts'
import { CancelledError, Deadline, DeadlineError } from './engine/deadline.ts'
import { READY, type Reply, type Request, type ThreadData } from './engine/evaluator.ts'
import { run } from './engine/jobs.ts'
import { openFacts } from './index/database.ts'

const { location, cancelled, accountAgeMsMax: ageMsMax } = workerData as ThreadData
const { facts } = await openFacts(location)

/** Accounts that one job may have an AppView asked about; others are wanted by the next one. */
const ACCOUNTS_WANTED_MAX = 3000

parentPort?.on('message', (request: Request) => {
  void answer(request).then((reply) => parentPort?.postMessage(reply))
})
parentPort?.postMessage(READY)

async function answer({ number, job, msMax }: Request): Promise<Reply> {
  try {
    const deadline = new Deadline(msMax, () => Atomics.load(cancelled, 0) === number)
    const wanted = new Set<AccountId>()
    const want = (account: AccountId) => {
      if (wanted.size < ACCOUNTS_WANTED_MAX) wanted.add(account)
    }
    const accounts = ageMsMax === undefined ? undefined : { ageMsMax, want }
    const made = await run(job, facts, { deadline, accounts })
    const dids = wanted.size > 0 ? [...(await facts.dids([...wanted])).values()] : undefined
    return { number, answer: made, accountsWanted: dids }
  } catch (error) {
    if (error instanceof DeadlineError) return { number, ended: 'deadline' }
    if (error instanceof CancelledError) return { number, ended: 'cancelled' }
    return { number, error: error as Error }
  }
}
