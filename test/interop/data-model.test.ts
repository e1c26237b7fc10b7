/** The vectors of the data model: records as JSON, their DAG-CBOR, their CID. */
import { describe, expect, test } from 'vitest'
import { decode, encode, isMap } from '#protocol/cbor.ts'
import { cidForCbor, formatCid } from '#protocol/cid.ts'
import { cborToJsonText, JsonError, jsonToValue, valueToJson } from '#protocol/json.ts'
import { vectorJson } from '../support/vectors.ts'

interface Fixture {
  json: unknown
  cbor_base64: string
  cid: string
}

interface Example {
  note: string
  json: unknown
}

const load = <T>(name: string): T[] => vectorJson<T[]>(`data-model/data-model-${name}.json`)

describe('data model', () => {
  test.each(load<Fixture>('fixtures'))('fixture $cid', ({ json, cbor_base64, cid }) => {
    const block = Buffer.from(cbor_base64, 'base64')
    expect(encode(jsonToValue(json)).equals(block)).toBe(true)
    expect(formatCid(cidForCbor(block))).toBe(cid)
    expect(valueToJson(decode(block))).toEqual(json)
    expect(JSON.parse(cborToJsonText(block))).toEqual(json)
  })

  test.each(load<Example>('valid'))('valid: $note', ({ json }) => {
    expect(valueToJson(decode(encode(jsonToValue(json))))).toEqual(json)
  })

  test.each(load<Example>('invalid'))('invalid: $note', ({ json }) => {
    expect(isRecord(json)).toBe(false)
  })
})

/** Whether the JSON is of the data model, and a map as every record is. */
function isRecord(json: unknown): boolean {
  try {
    return isMap(jsonToValue(json))
  } catch (error) {
    if (error instanceof JsonError) return false
    throw error
  }
}
