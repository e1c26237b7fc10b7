/**
 * Work in the background: so much at once, the same thing never twice, tried again when it fails,
 * and none of it after the end.
 */
import { type Logger, logger } from '#platform/log.ts'
import { pause, retryDelay } from '#platform/retry.ts'
import { Slots } from '#platform/semaphore.ts'
import { NotThereError, ServerError } from './pds-client.ts'

export interface JobsOptions {
  atOnceMax: number
  /** What waits or is under way; more is refused. */
  jobsMax: number
  /** A job is tried so often at most. */
  triesMax: number
}

/** What became of a job: `refused` when there is too much to do, or nothing more is done. */
export type JobOutcome = 'done' | 'failed' | 'refused'

export class Jobs implements AsyncDisposable {
  readonly #options: JobsOptions
  readonly #slots: Slots
  readonly #stopping = new AbortController()
  readonly #jobs = new Map<string, Promise<JobOutcome>>()
  readonly #log: Logger = logger('backfill')

  constructor(options: JobsOptions) {
    this.#options = options
    this.#slots = new Slots(options.atOnceMax)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping.abort()
    await Promise.all(this.#jobs.values())
  }

  /**
   * Has the work done in its turn, unless work by that name is waiting or under way already: then
   * that is what is meant.
   */
  run(name: string, work: (signal: AbortSignal) => Promise<void>): Promise<JobOutcome> {
    const known = this.#jobs.get(name)
    if (known !== undefined) return known
    if (this.#jobs.size >= this.#options.jobsMax) return Promise.resolve('refused')
    const job = this.#try(name, work).finally(() => this.#jobs.delete(name))
    this.#jobs.set(name, job)
    return job
  }

  has(name: string): boolean {
    return this.#jobs.has(name)
  }

  async #try(name: string, work: (signal: AbortSignal) => Promise<void>): Promise<JobOutcome> {
    const { signal } = this.#stopping
    for (let tries = 1; !signal.aborted; tries++) {
      try {
        await this.#slots.run(async () => {
          if (!signal.aborted) await work(signal)
        })
        return signal.aborted ? 'refused' : 'done'
      } catch (error) {
        if (signal.aborted) break
        const isLast = error instanceof NotThereError || tries >= this.#options.triesMax
        this.#say(error, { job: name, tries, isLast })
        if (isLast) return 'failed'
        await pause(retryDelay(tries), signal)
      }
    }
    return 'refused'
  }

  /** What strangers' servers do not do is daily business; anything else is a fault of our own. */
  #say(error: unknown, about: object): void {
    if (error instanceof ServerError || error instanceof NotThereError)
      this.#log.info({ ...about, reason: error.message }, 'could not be fetched')
    else
      this.#log.error(
        {
          ...about,
          err: error,
          todo: 'see whether the database answers and the disk has room; else report this with the stack',
        },
        'what was fetched could not be used',
      )
  }
}
