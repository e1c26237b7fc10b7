/**
 * A piece of the network's firehose, recorded: frames, and the DID documents of the accounts in
 * them.
 */
import { zstdDecompressSync } from 'node:zlib'
import { vectorBytes } from './vectors.ts'

/** The recorded frames, in order. */
export function recordedFrames(): Buffer[] {
  const file = zstdDecompressSync(vectorBytes('recorded/frames.bin.zst'))
  const frames: Buffer[] = []
  for (let at = 0; at < file.length; ) {
    const end = at + 4 + file.readUInt32LE(at)
    frames.push(file.subarray(at + 4, end))
    at = end
  }
  return frames
}

/** A DID document, as far as tests look at it. */
export interface RecordedDocument {
  id: string
  verificationMethod: { id: string; type: string; publicKeyMultibase: string }[]
}

/** The recorded DID documents by DID. */
export function recordedDocuments(): Map<string, RecordedDocument> {
  const json = zstdDecompressSync(vectorBytes('recorded/did_docs.json.zst')).toString()
  return new Map(Object.entries(JSON.parse(json) as Record<string, RecordedDocument>))
}
