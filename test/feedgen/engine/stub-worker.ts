/**
 * A thread that does what its jobs say: `explain` never ends, `backtest` runs until it is
 * cancelled, `preview` answers.
 */
import { parentPort, workerData } from 'node:worker_threads'
import { READY, type Reply, type Request, type ThreadData } from '../../../feedgen/engine/evaluator.ts'

const { cancelled } = workerData as ThreadData

parentPort?.on('message', ({ number, job }: Request) => {
  if (job.kind === 'explain') for (;;);
  const reply = (reply: Reply) => parentPort?.postMessage(reply)
  if (job.kind !== 'backtest') return reply({ number, answer: job.kind })
  const poll = setInterval(() => {
    if (Atomics.load(cancelled, 0) !== number) return
    clearInterval(poll)
    reply({ number, ended: 'cancelled' })
  }, 1)
})
parentPort?.postMessage(READY)
