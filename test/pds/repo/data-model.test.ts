/**
 * What the data model does not have is refused where people meet it, and not in the codec alone: no
 * other record than was sent is stored.
 */
import { describe, expect, test } from 'vitest'
import { post } from '../../support/pds.ts'
import { vectorJson } from '../../support/vectors.ts'
import { withPds } from '../../support/with-pds.ts'

const THING = 'com.example.thing'
const CID = 'bafkreiccldh766hwcnuxnf2wh6jgzepf2nlu2lvcllt63eww5p6chi4ity'

const shared = withPds('modeller')

interface Answer {
  readonly status: number
  readonly error?: string
  readonly message?: string
  readonly uri?: string
}

/** The request as it goes over the wire: clients would mend or refuse it. */
async function send(nsid: string, body: string, type = 'application/json'): Promise<Answer> {
  const response = await fetch(`${shared.pds.url}/xrpc/${nsid}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${shared.user.agent.session!.accessJwt}`, 'content-type': type },
    body,
  })
  return { status: response.status, ...((await response.json()) as object) }
}

const create = (recordJson: string, collection = THING) =>
  send(
    'com.atproto.repo.createRecord',
    `{"repo":"${shared.user.did}","collection":"${collection}","validate":false,"record":${recordJson}}`,
  )

const storedAt = async (uri: string) => {
  const [, , repo, collection, rkey] = uri.split('/') as [string, string, string, string, string]
  const query = new URLSearchParams({ repo, collection, rkey })
  const response = await fetch(`${shared.pds.url}/xrpc/com.atproto.repo.getRecord?${query}`)
  return ((await response.json()) as { value: object }).value
}

const records = async () =>
  (await shared.user.agent.com.atproto.repo.listRecords({ repo: shared.user.did, collection: THING })).data
    .records.length

describe('createRecord refuses', () => {
  test.each<[string, string, string]>([
    ['a $link that is no CID', `{"a":[{"$link":"x"}]}`, '$.record.a[0]: $link'],
    ['a $link that is no text', `{"a":{"$link":null}}`, '$.record.a: $link'],
    ['a $link beside something', `{"a":{"$link":"${CID}","b":1}}`, '$.record.a: $link'],
    ['$bytes that are no text', `{"a":{"$bytes":5}}`, '$.record.a: $bytes'],
    ['$bytes that are no base64', `{"a":{"$bytes":"?"}}`, '$.record.a: $bytes'],
    ['a blob without its fields', `{"deep":[{"er":{"$type":"blob"}}]}`, '$.record.deep[0].er: a blob'],
    [
      'a blob with text for a link',
      `{"a":{"$type":"blob","ref":"${CID}","mimeType":"a/b","size":1}}`,
      'a blob',
    ],
    [
      'a blob with one field more',
      `{"a":{"$type":"blob","ref":{"$link":"${CID}"},"mimeType":"a/b","size":1,"b":1}}`,
      'a blob',
    ],
    ['a type that is no text', `{"a":{"$type":7}}`, '$.record.a: $type'],
    ['a type without characters', `{"a":{"$type":""}}`, '$.record.a: $type'],
    ['half a surrogate pair', `{"a":"\\ud83d"}`, '$.record.a: half a surrogate pair'],
    ['the other half', `{"a":["x\\udc4dx"]}`, '$.record.a[0]: half a surrogate pair'],
    ['half a surrogate pair as a key', `{"a":{"\\ud83d":1}}`, '$.record.a: half a surrogate pair in a key'],
    ['a fraction', `{"a":1.5}`, '$.record.a'],
  ])('%s', async (_, json, message) => {
    const before = await records()
    const answer = await create(json)
    expect(answer).toMatchObject({ status: 400, error: 'InvalidRequest' })
    expect(answer.message).toContain(message)
    expect(await records()).toBe(before)
  })

  test('the same in every way of writing', async () => {
    const value = `{"$type":"${THING}","a":{"$link":"x"}}`
    const write = `{"$type":"com.atproto.repo.applyWrites#create","collection":"${THING}","rkey":"x","value":${value}}`
    const applied = await send(
      'com.atproto.repo.applyWrites',
      `{"repo":"${shared.user.did}","writes":[${write}]}`,
    )
    const put = await send(
      'com.atproto.repo.putRecord',
      `{"repo":"${shared.user.did}","collection":"${THING}","rkey":"x","record":${value}}`,
    )
    for (const answer of [applied, put])
      expect(answer).toMatchObject({ status: 400, error: 'InvalidRequest' })
  })

  test('nothing that only looks like it', async () => {
    const record = {
      text: '\u{1f44d}',
      $linked: 'x',
      link: { $link: CID },
      bytes: { $bytes: 'AQI' },
      typed: { $type: 'com.example.thing#part', mimeType: 'a/b' },
    }
    const answer = await create(JSON.stringify(record))
    expect(answer.status).toBe(200)
    expect(await storedAt(answer.uri!)).toEqual({ $type: THING, ...record })
  })

  test('what a known record has in the wrong place', async () => {
    const answer = await create(JSON.stringify(post('x', { more: { $bytes: 5 } })), 'app.bsky.feed.post')
    expect(answer).toMatchObject({ status: 400, error: 'InvalidRequest' })
  })
})

interface Example {
  readonly note?: string
  readonly json: unknown
  readonly cid?: string
}
const load = (name: string): Example[] => vectorJson<Example[]>(`data-model/data-model-${name}.json`)

describe('the vectors of the data model, sent to createRecord', () => {
  test.each(load('valid'))('valid: $note', async ({ json }) => {
    const answer = await create(JSON.stringify(json))
    // A blob that is described as it should be is looked for next.
    if (answer.error === 'BlobNotFound') return
    expect(answer).toMatchObject({ status: 200 })
    expect(await storedAt(answer.uri!)).toEqual({ $type: THING, ...(json as object) })
  })

  test.each(load('invalid'))('invalid: $note', async ({ json }) => {
    expect(await create(JSON.stringify(json))).toMatchObject({ status: 400, error: 'InvalidRequest' })
  })
})

test('a form is no blob', async () => {
  for (const type of ['multipart/form-data; boundary=x', 'Multipart/Mixed; boundary=x']) {
    const form = '--x\r\ncontent-disposition: form-data; name="file"\r\n\r\nbytes\r\n--x--\r\n'
    const answer = await send('com.atproto.repo.uploadBlob', form, type)
    expect(answer).toMatchObject({ status: 400, error: 'InvalidRequest' })
    expect(answer.message).toContain('send the bytes of the file alone')
  }
})
