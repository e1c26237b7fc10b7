/** Work that goes on beside requests: sweeping, pruning, carrying out what was left. */
import type { Logger } from './log.ts'

export interface BackgroundTaskOptions {
  readonly log: Pick<Logger, 'error'>
  /** What a failed run is logged as, and what the operator can do about it. */
  readonly failure: { readonly message: string; readonly todo: string }
  /** When a failed run is repeated; undefined: when the task is next asked for. */
  readonly retryMs: number | undefined
}

/**
 * One run at a time: asked for while one is under way, the work is done once more after it. A
 * failed run is logged and never rejects. Timers do not keep the process alive.
 */
export class BackgroundTask implements AsyncDisposable {
  readonly #work: (signal: AbortSignal) => Promise<number | undefined>
  readonly #options: BackgroundTaskOptions
  readonly #ending = new AbortController()
  #isAsked = false
  #running: Promise<void> | undefined
  #timer: NodeJS.Timeout | undefined

  /** @param work returns in how many milliseconds it is to be done again; undefined: when asked */
  constructor(work: (signal: AbortSignal) => Promise<number | undefined>, options: BackgroundTaskOptions) {
    this.#work = work
    this.#options = options
  }

  /** Aborted once the task is disposed of: work ends at its next step. */
  get signal(): AbortSignal {
    return this.#ending.signal
  }

  /** Does the work now, or once more after the run under way; resolves when none is left to do. */
  run(): Promise<void> {
    this.#isAsked = true
    this.#running ??= this.#runWhileAsked()
    return this.#running
  }

  /** Ends the task without waiting for the run under way. */
  end(): void {
    this.#ending.abort()
    clearTimeout(this.#timer)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.end()
    await this.#running
  }

  async #runWhileAsked(): Promise<void> {
    // The work begins after `#running` is set, so that what it asks for meanwhile joins this run.
    await Promise.resolve()
    clearTimeout(this.#timer)
    const { log, failure, retryMs } = this.#options
    let waitMs: number | undefined
    while (this.#isAsked && !this.signal.aborted) {
      this.#isAsked = false
      try {
        waitMs = await this.#work(this.signal)
      } catch (error) {
        waitMs = retryMs
        if (!this.signal.aborted) log.error({ err: error, todo: failure.todo }, failure.message)
      }
    }
    // In one step with the last look at `#isAsked`: who asks from now on starts another run.
    this.#running = undefined
    if (this.signal.aborted || waitMs === undefined) return
    this.#timer = setTimeout(() => void this.run(), waitMs).unref()
  }
}
