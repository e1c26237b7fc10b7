/**
 * Objects on a thread of their own, whose methods are called from here. What is written to a SQLite
 * file is written so: neither a batch of events nor a checkpoint of the log keeps a page waiting.
 * If the thread dies, nobody knows what was written, and the process ends with its error.
 */
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import type { Pending } from '../pending.ts'
import type { Retention, RetentionOptions } from '../retention.ts'
import type { Recorder } from '../write/index-writer.ts'
import type { Interactions } from '../write/interactions.ts'
import type { MethodsOf } from '../writer.ts'

/** What writes the index. */
export interface Writing {
  recorder: MethodsOf<Recorder>
  pending: MethodsOf<Pending>
  interactions: MethodsOf<Interactions>
  retention: MethodsOf<Retention>
}

export interface Call {
  id: number
  object: keyof Writing
  method: string
  args: unknown[]
}

export type Reply = { id: number; value: unknown } | { id: number; error: unknown }

/** What the thread is started with. */
export interface ThreadData {
  file: string
  retention: RetentionOptions
}

/** Opens the file on a thread; resolves when its tables are up to date. */
export async function startWritingThread(data: ThreadData): Promise<Writing & AsyncDisposable> {
  const worker = new Worker(new URL('./writer-worker.ts', import.meta.url), { workerData: data })
  const waiting = new Map<number, PromiseWithResolvers<unknown>>()
  let calls = 0
  await once(worker, 'message')
  worker.on('message', (reply: Reply) => {
    const { resolve, reject } = waiting.get(reply.id) as PromiseWithResolvers<unknown>
    waiting.delete(reply.id)
    if ('error' in reply) reject(reply.error)
    else resolve(reply.value)
  })
  worker.on('error', (error) => {
    throw error
  })
  const call = (object: keyof Writing, method: string, args: unknown[]) => {
    const answer = Promise.withResolvers<unknown>()
    const id = ++calls
    waiting.set(id, answer)
    worker.postMessage({ id, object, method, args } satisfies Call)
    return answer.promise
  }
  const remote = <K extends keyof Writing>(object: K): Writing[K] =>
    new Proxy({} as Writing[K], {
      get:
        (_, method) =>
        (...args: unknown[]) =>
          call(object, String(method), args),
    })
  return {
    recorder: remote('recorder'),
    pending: remote('pending'),
    interactions: remote('interactions'),
    retention: remote('retention'),
    async [Symbol.asyncDispose]() {
      worker.postMessage('end')
      await once(worker, 'exit')
    },
  }
}
