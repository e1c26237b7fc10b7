/** What people see of a feed beside its posts, and the record that says so. */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import type { AtpAgent, BlobRef } from '@atproto/api'
import { type Command, InvalidArgumentError } from 'commander'
import type { Definition } from '../../../feedgen/algorithm/definition.ts'
import { ask } from '../../ask.ts'
import { CommandError, UsageError } from '../../command.ts'
import type { FeedRecords, RecordValue } from './records.ts'

const avatarBytesMax = 1_000_000
const nameCharactersMax = 24

/** What the options say of it. */
export interface Presentation {
  name?: string
  description?: string
  /** A file. */
  avatar?: string
}

/** The options that say what people see of a feed. */
export function withPresentation(command: Command): Command {
  return command
    .option('--name <text>', `what it is called (up to ${nameCharactersMax} characters)`, displayName)
    .option('--description <text>', 'what it is about')
    .option('--avatar <file>', 'its picture, PNG or JPEG')
    .option(
      '--host <host>',
      "DID, URL or host name of the feed generator that serves it (default: the environment's)",
    )
}

interface Wanted {
  rkey: string
  /** Whose feed it is to be: the DID of a feed generator. */
  did: string
  name?: string
  description?: string
  avatar?: BlobRef
  definition: Definition
}

/** The record that makes a feed known: what is there stays, but for what is asked for now. */
export function generatorOf(
  { generator }: FeedRecords,
  { rkey, did, name, description, avatar, definition }: Wanted,
): RecordValue {
  const there = generator?.value ?? {}
  return {
    displayName: rkey.slice(0, nameCharactersMax),
    createdAt: new Date().toISOString(),
    ...there,
    did,
    ...(name !== undefined && { displayName: name }),
    ...(description !== undefined && { description, descriptionFacets: undefined }),
    ...(avatar !== undefined && { avatar }),
    // Apps report what was seen and what people want less of only to feeds that say so.
    ...(listens(definition) && { acceptsInteractions: true }),
  }
}

/** Puts a picture into the repository of the account. */
export async function uploadAvatar(agent: AtpAgent, file: string): Promise<BlobRef> {
  const encoding = { '.png': 'image/png', '.jpg': 'image/jpeg', '.jpeg': 'image/jpeg' }[
    path.extname(file).toLowerCase()
  ]
  if (!encoding) throw new UsageError(`A feed's picture is a PNG or JPEG file: ${file}`)
  const bytes = readPicture(file)
  const uploaded = agent.com.atproto.repo.uploadBlob(bytes, { encoding })
  return (await ask('upload the picture', agent.serviceUrl, uploaded)).data.blob
}

function displayName(text: string): string {
  const characters = [...new Intl.Segmenter().segment(text)].length
  if (characters === 0 || characters > nameCharactersMax) {
    throw new InvalidArgumentError(`It must have 1 to ${nameCharactersMax} characters.`)
  }
  return text
}

function readPicture(file: string): Uint8Array {
  let bytes: Uint8Array
  try {
    bytes = readFileSync(file)
  } catch (error) {
    throw new CommandError(`Could not read the picture: ${(error as Error).message}`)
  }
  if (bytes.length > avatarBytesMax) {
    throw new CommandError(`The picture may have up to ${avatarBytesMax / 1_000_000} MB: ${file}`)
  }
  return bytes
}

function listens({ viewer }: Definition): boolean {
  return viewer?.feedback === true || viewer?.hide?.includes('seen') === true
}
