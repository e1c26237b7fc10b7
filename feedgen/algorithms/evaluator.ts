/** Where jobs are done: on this thread, or on one of their own so that nobody's page waits for somebody else's ranking. */
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import type { Facts } from '../facts/facts.ts'
import { type Answer, type Job, run } from './jobs.ts'

export interface Evaluator extends AsyncDisposable {
  /**
   * Does a job.
   * @throws BusyError when too many wait already
   */
  run<J extends Job>(job: J): Promise<Answer<J>>
}

/** Too many jobs wait already. */
export class BusyError extends Error {
  override name = 'BusyError'
}

/** Does jobs on this thread. */
export function evaluatorHere(facts: Facts): Evaluator {
  return {
    run: (job) => run(job, facts),
    async [Symbol.asyncDispose]() {},
  }
}

/** What is said between the threads. */
export interface Request {
  readonly number: number
  readonly job: Job
}
/** The first word of the thread. */
export const READY = 'ready'
export type Reply =
  | typeof READY
  | { readonly number: number; readonly answer: unknown }
  | { readonly number: number; readonly error: Error }

interface Waiting {
  resolve(answer: never): void
  reject(error: Error): void
}

/** Does jobs on a thread that reads the index by itself. */
export class EvaluatorThread implements Evaluator {
  readonly #location: string
  readonly #jobsMax: number
  readonly #waiting = new Map<number, Waiting>()
  #worker: Worker | undefined
  #number = 0
  #isStopped = false

  /**
   * Starts the thread; resolves once it is ready, so that the first one who asks does not wait for that.
   * @param location of the index
   * @param jobsMax how many jobs may wait or be under way
   */
  static async start(location: string, jobsMax: number): Promise<EvaluatorThread> {
    const evaluator = new EvaluatorThread(location, jobsMax)
    await once(evaluator.#thread(), 'message')
    return evaluator
  }

  private constructor(location: string, jobsMax: number) {
    this.#location = location
    this.#jobsMax = jobsMax
  }

  run<J extends Job>(job: J): Promise<Answer<J>> {
    if (this.#waiting.size >= this.#jobsMax)
      return Promise.reject(new BusyError('too many lists are being made already'))
    const number = ++this.#number
    const { promise, resolve, reject } = Promise.withResolvers<Answer<J>>()
    this.#waiting.set(number, { resolve, reject })
    this.#thread().postMessage({ number, job } satisfies Request)
    return promise
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isStopped = true
    await this.#worker?.terminate()
  }

  /** The thread; a new one after one that died, whose jobs fail. */
  #thread(): Worker {
    if (this.#worker) return this.#worker
    const worker = new Worker(new URL('./worker.ts', import.meta.url), { workerData: this.#location })
    worker.on('message', (reply: Reply) => {
      if (reply === READY) return
      const waiting = this.#waiting.get(reply.number)
      this.#waiting.delete(reply.number)
      if ('error' in reply) waiting?.reject(reply.error)
      else waiting?.resolve(reply.answer as never)
    })
    let cause: unknown
    worker.on('error', (error) => {
      cause = error
    })
    worker.on('exit', () => {
      if (this.#worker === worker) this.#worker = undefined
      const message = this.#isStopped ? 'the service stops' : 'the thread that makes lists ended'
      for (const { reject } of this.#waiting.values()) reject(new Error(message, { cause }))
      this.#waiting.clear()
    })
    worker.unref()
    this.#worker = worker
    return worker
  }
}
