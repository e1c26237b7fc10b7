/** The thread of an evaluator: jobs come in, one is done after the other, answers go out. */
import { parentPort, workerData } from 'node:worker_threads'
import { openFacts } from '../index/database.ts'
import { READY, type Reply, type Request } from './evaluator.ts'
import { run } from './jobs.ts'

const { facts } = await openFacts(workerData as string)
let line: Promise<unknown> = Promise.resolve()

parentPort?.on('message', (request: Request) => {
  line = line.then(() => answer(request)).then((reply) => parentPort?.postMessage(reply))
})
parentPort?.postMessage(READY)

async function answer({ number, job }: Request): Promise<Reply> {
  try {
    return { number, answer: await run(job, facts) }
  } catch (error) {
    return { number, error: error as Error }
  }
}
