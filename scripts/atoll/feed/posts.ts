/** The texts of posts, from their authors' repositories. */
import { AtpAgent } from '@atproto/api'
import { AtUri } from '@atproto/syntax'
import type { Network } from '../network.ts'
import { oneLine } from '../output.ts'

const textCharactersMax = 70
/** Posts fetched concurrently. */
const fetchesMax = 8

/** The posts' texts, each on one line, without those that cannot be fetched. */
export async function textsOf(uris: readonly string[], network: Network): Promise<Map<string, string>> {
  const agents = new Map<string, Promise<AtpAgent>>()
  const agentOf = (did: string): Promise<AtpAgent> => {
    const agent =
      agents.get(did) ?? network.findAccount(did).then(({ pds }) => new AtpAgent({ service: pds }))
    agents.set(did, agent)
    return agent
  }
  const texts = new Map<string, string>()
  const rest = [...uris]
  const fetchAll = async () => {
    for (let uri = rest.shift(); uri !== undefined; uri = rest.shift()) {
      const text = await textOf(new AtUri(uri), agentOf)
      if (text !== undefined) texts.set(uri, oneLine(text, textCharactersMax))
    }
  }
  await Promise.all(Array.from({ length: fetchesMax }, fetchAll))
  return texts
}

async function textOf(
  { hostname, rkey }: AtUri,
  agentOf: (did: string) => Promise<AtpAgent>,
): Promise<string | undefined> {
  try {
    const agent = await agentOf(hostname)
    return (await agent.getPost({ repo: hostname, rkey })).value.text
  } catch {
    // If the post is gone or its PDS is down, only its URI is shown.
    return undefined
  }
}
