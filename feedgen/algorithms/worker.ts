/** The thread of an evaluator: a job comes in, an answer goes out. */
import { parentPort, workerData } from 'node:worker_threads'
import { openFacts } from '../index/database.ts'
import { CancelledError, Deadline, DeadlineError } from './deadline.ts'
import { READY, type Reply, type Request, type ThreadData } from './evaluator.ts'
import { run } from './jobs.ts'

const { location, cancelled } = workerData as ThreadData
const { facts } = await openFacts(location)

parentPort?.on('message', (request: Request) => {
  void answer(request).then((reply) => parentPort?.postMessage(reply))
})
parentPort?.postMessage(READY)

async function answer({ number, job, msMax }: Request): Promise<Reply> {
  try {
    const deadline = new Deadline(msMax, () => Atomics.load(cancelled, 0) === number)
    return { number, answer: await run(job, facts, deadline) }
  } catch (error) {
    if (error instanceof DeadlineError) return { number, ended: 'deadline' }
    if (error instanceof CancelledError) return { number, ended: 'cancelled' }
    return { number, error: error as Error }
  }
}
