/**
 * Answers every request with the same small JSON: what HTTP alone costs. The port is the argument.
 */
import { createServer } from 'node:http'

const BODY = JSON.stringify({ uri: 'at://did:plc:aaaaaaaaaaaaaaaaaaaaaaaa/app.bsky.feed.post/3aaaaaaaaaaaa' })

createServer((_, response) => {
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': BODY.length })
  response.end(BODY)
}).listen(Number(process.argv[2]), '127.0.0.1')
