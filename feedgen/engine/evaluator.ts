/**
 * Where jobs are done: on a thread of their own, so that nobody's page waits for somebody else's
 * ranking.
 *
 * The thread is given one job at a time; the others wait here, callers taking turns, so that a
 * thread that is lost takes no job with it but the one it had. A job ends at its deadline from
 * within. Where it does not get to look at the clock, the thread is replaced a little later.
 */

import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { DomainError } from '#platform/errors.ts'
import { CancelledError, DeadlineError } from './deadline.ts'
import type { Answer, Job } from './jobs.ts'

export interface Evaluator extends AsyncDisposable {
  /**
   * Does a job.
   * @throws DomainError when too many wait already; DeadlineError; CancelledError when nobody waits
   * for it any more
   */
  run<J extends Job>(job: J, asker?: JobAsker): Promise<Answer<J>>
}

/** For whom a job is. */
export interface JobAsker {
  /** Of one caller's jobs one runs, and few wait. */
  readonly caller?: string
  /** Which of the caller's pages asks: a newer job of the same one takes the place of the older. */
  readonly page?: string
  readonly signal?: AbortSignal
  /** Called with the time that the job took, however it ended. */
  used?(ms: number): void
}

/** What is said between the threads. */
export interface Request {
  readonly number: number
  readonly job: Job
  readonly msMax: number
}
/** What a thread begins with. */
export interface ThreadData {
  readonly location: string
  /** The number of the job that is cancelled. */
  readonly cancelled: Int32Array
  /** How old what an AppView said of an account may be; absent when no AppView is asked. */
  readonly accountAgeMsMax?: number
}
/** The first word of the thread. */
export const READY = 'ready'
export type Reply =
  | typeof READY
  | { readonly number: number; readonly answer: unknown; readonly accountsWanted?: readonly string[] }
  | { readonly number: number; readonly error: Error }
  | { readonly number: number; readonly ended: 'deadline' | 'cancelled' }

export interface EvaluatorOptions {
  /** Jobs that may wait. */
  readonly jobsMax: number
  /** How long a job may take; a backtest looks at many times the posts and may take longer. */
  readonly msMax: number
  /**
   * Has an AppView asked about accounts (DIDs) of which jobs should know more; absent when there is
   * none.
   */
  readonly accounts?: { readonly ageMsMax: number; want(dids: readonly string[]): void }
  /** The thread's program, in place of its own. */
  readonly program?: URL
}

/** Jobs of one caller that may wait behind the one that runs. */
const CALLER_WAITING_MAX = 2
const BACKTEST_TIMES = 4
/** What a job may take beyond its deadline until its thread is replaced. */
const LATE_MS_MAX = 1_000

interface Task {
  readonly number: number
  readonly job: Job
  readonly asker: JobAsker
  readonly resolve: (answer: never) => void
  readonly reject: (error: Error) => void
  /** Whether it is answered already, although it runs. */
  isSettled: boolean
}

interface Running {
  readonly task: Task
  readonly since: number
  readonly timer: NodeJS.Timeout
}

/** Does jobs on a thread that reads the index by itself. */
export class EvaluatorThread implements Evaluator {
  readonly #location: string
  readonly #options: EvaluatorOptions
  readonly #waiting: Task[] = []
  readonly #cancelled = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT))
  #running: Running | undefined
  #worker: Worker | undefined
  #isReady = false
  #lastCaller: string | undefined
  #number = 0
  #isStopped = false

  /**
   * Starts the thread; resolves once it is ready, so that the first one who asks does not wait for
   * that.
   * @param location of the index
   */
  static async start(location: string, options: EvaluatorOptions): Promise<EvaluatorThread> {
    const evaluator = new EvaluatorThread(location, options)
    await once(evaluator.#thread(), 'message')
    return evaluator
  }

  private constructor(location: string, options: EvaluatorOptions) {
    this.#location = location
    this.#options = options
  }

  run<J extends Job>(job: J, asker: JobAsker = {}): Promise<Answer<J>> {
    const { caller, page, signal } = asker
    if (signal?.aborted) return Promise.reject(new CancelledError('nobody waits for the answer'))
    const mine = this.#waiting.filter((task) => caller !== undefined && task.asker.caller === caller)
    if (page !== undefined) {
      const running = this.#running?.task
      for (const task of running === undefined ? mine : [...mine, running])
        if (task.asker.caller === caller && task.asker.page === page)
          this.#cancel(task, 'a newer request of the same page took its place')
    }
    const others = mine.filter((task) => !task.isSettled).length
    const runs = caller !== undefined && this.#running?.task.asker.caller === caller
    if (others >= CALLER_WAITING_MAX + (runs ? 0 : 1))
      return Promise.reject(
        new DomainError('rateLimited', 'too many of your requests are being evaluated already'),
      )
    if (this.#waiting.length >= this.#options.jobsMax)
      return Promise.reject(new DomainError('rateLimited', 'too many lists are being made already'))
    const { promise, resolve, reject } = Promise.withResolvers<Answer<J>>()
    // Numbers fit the cell by which a job is cancelled; 0 is none.
    this.#number = (this.#number % 0x7fff_fffe) + 1
    const task: Task = { number: this.#number, job, asker, resolve, reject, isSettled: false }
    this.#waiting.push(task)
    const cancel = () => this.#cancel(task, 'nobody waits for the answer')
    signal?.addEventListener('abort', cancel, { once: true })
    this.#next()
    return promise.finally(() => signal?.removeEventListener('abort', cancel))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isStopped = true
    await this.#worker?.terminate()
    for (const task of this.#waiting.splice(0)) settle(task, new Error('the service stops'))
  }

  #cancel(task: Task, why: string): void {
    const place = this.#waiting.indexOf(task)
    if (place >= 0) this.#waiting.splice(place, 1)
    else if (this.#running?.task === task) Atomics.store(this.#cancelled, 0, task.number)
    settle(task, new CancelledError(why))
  }

  /** Gives the thread its next job, if it has none. */
  #next(): void {
    if (this.#running !== undefined || this.#waiting.length === 0 || this.#isStopped) return
    const worker = this.#thread()
    if (!this.#isReady) return
    // Callers take turns.
    const other = this.#waiting.findIndex(
      ({ asker }) => asker.caller === undefined || asker.caller !== this.#lastCaller,
    )
    const [task] = this.#waiting.splice(Math.max(0, other), 1) as [Task]
    this.#lastCaller = task.asker.caller
    const { number, job } = task
    const msMax = this.#options.msMax * (job.kind === 'backtest' ? BACKTEST_TIMES : 1)
    const timer = setTimeout(() => {
      settle(task, new DeadlineError())
      void worker.terminate()
    }, msMax + LATE_MS_MAX).unref()
    this.#running = { task, since: performance.now(), timer }
    worker.postMessage({ number, job, msMax } satisfies Request)
  }

  /** The thread has no job any more. */
  #end(): Task | undefined {
    if (this.#running === undefined) return undefined
    const { task, since, timer } = this.#running
    clearTimeout(timer)
    this.#running = undefined
    task.asker.used?.(performance.now() - since)
    return task
  }

  #answered(reply: Exclude<Reply, typeof READY>): void {
    const task = this.#end()
    if (task === undefined) return
    if ('answer' in reply && reply.accountsWanted) this.#options.accounts?.want(reply.accountsWanted)
    if ('answer' in reply) settle(task, undefined, reply.answer)
    else if ('error' in reply) settle(task, reply.error)
    else settle(task, reply.ended === 'deadline' ? new DeadlineError() : new CancelledError('cancelled'))
  }

  /** The thread; a new one after one that ended. */
  #thread(): Worker {
    if (this.#worker) return this.#worker
    const { program = new URL('../evaluator-worker.ts', import.meta.url), accounts } = this.#options
    const workerData: ThreadData = {
      location: this.#location,
      cancelled: this.#cancelled,
      accountAgeMsMax: accounts?.ageMsMax,
    }
    const worker = new Worker(program, { workerData })
    worker.on('message', (reply: Reply) => {
      if (this.#worker !== worker) return
      if (reply === READY) this.#isReady = true
      else this.#answered(reply)
      this.#next()
    })
    let cause: unknown
    worker.on('error', (error) => {
      cause = error
    })
    worker.on('exit', () => {
      if (this.#worker !== worker) return
      const wasReady = this.#isReady
      this.#worker = undefined
      this.#isReady = false
      const message = this.#isStopped ? 'the service stops' : 'the thread that makes lists ended'
      // Where no thread can be started, each attempt costs a job, so that it does not go on for
      // ever.
      const task = this.#end() ?? (wasReady ? undefined : this.#waiting.shift())
      if (task !== undefined) settle(task, new Error(message, { cause }))
      this.#next()
    })
    worker.unref()
    this.#worker = worker
    return worker
  }
}

function settle(task: Task, error: Error | undefined, answer?: unknown): void {
  if (task.isSettled) return
  task.isSettled = true
  if (error === undefined) task.resolve(answer as never)
  else task.reject(error)
}
