/** Names that two want at once, and identities that nobody gets after all. */
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest'
import { Plc } from '../../../pds/identity/plc.ts'
import { createUser, type InProcessPds, PASSWORD, rejection, startPds } from '../../support/pds.ts'
import { type PlcDirectory, startPlc } from '../../support/plc.ts'
import { operatorOf, strangerTo } from './support.ts'

let plc: PlcDirectory
let pds: InProcessPds
beforeAll(async () => {
  plc = await startPlc()
  pds = await startPds({ plcUrl: plc.url })
})
afterAll(async () => {
  await pds?.[Symbol.asyncDispose]()
  await plc?.[Symbol.asyncDispose]()
})
afterEach(() => {
  vi.restoreAllMocks()
})

/** Stops the next operation on its way to the directory. */
function holdOperation() {
  const { send } = Plc.prototype
  const [reached, released] = [Promise.withResolvers<string>(), Promise.withResolvers<void>()]
  vi.spyOn(Plc.prototype, 'send').mockImplementationOnce(async function (this: Plc, did, operation) {
    reached.resolve(did)
    await released.promise
    return send.call(this, did, operation)
  })
  return { reached: reached.promise, release: released.resolve }
}

const lastOperation = async (did: string) => (await fetch(`${plc.url}/${did}/log/last`)).json()

const signUp = (name: string, email: string) =>
  strangerTo(pds).com.atproto.server.createAccount({ handle: `${name}.test`, email, password: PASSWORD })

test('a handle goes to one of two that want it at once, in the directory too', async () => {
  const [first, second] = [await createUser(pds, 'first'), await createUser(pds, 'second')]
  const { reached, release } = holdOperation()
  const renamed = first.agent.updateHandle({ handle: 'wanted.test' })
  await reached
  expect(await rejection(second.agent.updateHandle({ handle: 'wanted.test' }))).toMatchObject({
    status: 400,
    error: 'HandleNotAvailable',
  })
  expect(await rejection(signUp('wanted', 'third@mail.example'))).toMatchObject({
    status: 400,
    message: 'Handle already taken: wanted.test',
  })
  release()
  await renamed
  expect(await lastOperation(first.did)).toMatchObject({ alsoKnownAs: ['at://wanted.test'] })
  expect(await lastOperation(second.did)).toMatchObject({ alsoKnownAs: ['at://second.test'] })
  await first.agent.updateHandle({ handle: 'first.test' })
  await second.agent.updateHandle({ handle: 'wanted.test' })
})

test('the identity of an account that could not be made is ended', async () => {
  const other = await createUser(pds, 'other')
  const { reached, release } = holdOperation()
  const refused = rejection(signUp('late', 'late@mail.example'))
  const did = await reached
  await operatorOf(pds).admin.updateAccountEmail({ account: other.did, email: 'late@mail.example' })
  release()
  expect(await refused).toMatchObject({ status: 400, message: 'Email already taken: late@mail.example' })
  expect(await lastOperation(did)).toMatchObject({ type: 'plc_tombstone' })
  await signUp('late', 'later@mail.example')
})
