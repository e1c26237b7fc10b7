import { AtpAgent } from '@atproto/api'
const url = process.env.PDS ?? 'http://localhost:2583'
const agent = new AtpAgent({ service: url })
const handle = `al${Date.now().toString(36)}.test`
const t0=performance.now()
await agent.createAccount({ handle, email: `${handle}@example.com`, password: 'hunter22' })
console.log(agent.session?.did, 'ms', performance.now()-t0)
const p = await agent.post({ text: 'hello', createdAt: new Date().toISOString() })
console.log(p)
const t=performance.now()
for (let i=0;i<200;i++) await agent.post({ text: 'hello '+i, createdAt: new Date().toISOString() })
console.log('ms per post', (performance.now()-t)/200)
const l = await agent.com.atproto.repo.listRecords({repo: handle, collection:'app.bsky.feed.post', limit: 2})
console.log(JSON.stringify(l.data))
console.log((await agent.com.atproto.repo.describeRepo({repo: handle})).data)
const got = await agent.com.atproto.repo.getRecord({repo: handle, collection:'app.bsky.feed.post', rkey: p.uri.split('/').pop()!})
console.log(got.data)
const car = await agent.com.atproto.sync.getRepo({did: agent.session!.did})
console.log(car.data.length)
import { verifyRepoCar, verifyRecords } from '@atproto/repo'
import { IdResolver } from '@atproto/identity'
const doc = (await agent.com.atproto.repo.describeRepo({repo: handle})).data.didDoc as any
const key = 'did:key:' + doc.verificationMethod[0].publicKeyMultibase
const v = await verifyRepoCar(car.data, agent.session!.did, key)
console.log('verified', v.creates.length)
const pr = await agent.com.atproto.sync.getRecord({did: agent.session!.did, collection:'app.bsky.feed.post', rkey: p.uri.split('/').pop()!})
console.log('records', (await verifyRecords(pr.data, agent.session!.did, key)).length)
await agent.com.atproto.repo.deleteRecord({repo: handle, collection:'app.bsky.feed.post', rkey: p.uri.split('/').pop()!})
const up = await agent.uploadBlob(Buffer.from('hello blob'), {encoding:'text/plain'})
console.log(up.data)
await agent.com.atproto.server.getSession().then(r=>console.log(r.data))
