/** The thread that writes a SQLite file: does what it is called for, and answers. */
import { parentPort, workerData } from 'node:worker_threads'
import { migrate } from '../migrations.ts'
import { Pending } from '../pending.ts'
import { Retention } from '../retention.ts'
import { Recorder } from '../write/index-writer.ts'
import { Interactions } from '../write/interactions.ts'
import { openSqliteStore } from './store.ts'
import type { Call, Reply, ThreadData, Writing } from './writer-thread.ts'

const port = parentPort as NonNullable<typeof parentPort>
const { file, retention } = workerData as ThreadData
const store = openSqliteStore(file)
await migrate(store.db, 'sqlite')

const objects: Writing = {
  recorder: new Recorder(store),
  pending: new Pending(store),
  interactions: new Interactions(store),
  retention: new Retention(store, retention),
}

port.on('message', async (call: Call | 'end') => {
  if (call === 'end') {
    port.close()
    await store[Symbol.asyncDispose]()
    return
  }
  const reply = (value: Reply) => port.postMessage(value)
  try {
    const object = objects[call.object] as unknown as Record<string, (...args: unknown[]) => unknown>
    reply({ id: call.id, value: await object[call.method]?.(...call.args) })
  } catch (error) {
    reply({ id: call.id, error })
  }
})
port.postMessage('ready')
