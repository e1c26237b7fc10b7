import { Author } from './test/support/author.ts'
import { startDirectory } from './test/support/directory.ts'
import { startRelay } from './test/support/relay.ts'
import { encodeFrame } from '#protocol/frame.ts'
import { createFeedgen } from './feedgen/feedgen.ts'
import { readConfig } from './feedgen/config.ts'
import { setTimeout as sleep } from 'node:timers/promises'
import { rmSync } from 'node:fs'
const directory = await startDirectory(); const relay = await startRelay()
const authors = Array.from({length: 300}, () => new Author().register(directory))
const uris: string[] = []
const N = Number(process.argv[2] ?? 20000)
const pick = <T,>(a: T[]) => a[Math.floor(Math.random()*a.length)]!
for (let i = 0; i < N; i++) {
  const a = pick(authors)
  if (i % 8 === 0 || uris.length === 0) { const {uri, event} = a.post('text '+i); uris.push(uri); relay.emit(event) }
  else if (i % 8 === 1) relay.emit(a.follow(pick(authors).did).event)
  else if (i % 8 === 2) relay.emit(a.repost(pick(uris)).event)
  else relay.emit(a.like(pick(uris)).event)
}
rmSync('/tmp/fg.sqlite', {force:true}); rmSync('/tmp/fg.sqlite-wal', {force:true});rmSync('/tmp/fg.sqlite-shm', {force:true})
console.log('made')
const t0 = performance.now()
const cpu0 = process.cpuUsage()
await using feedgen = await createFeedgen({...readConfig({FEEDGEN_HOSTNAME:'feeds.test', FEEDGEN_DEV_MODE:'true'}), port:0, sqliteLocation:'/tmp/fg.sqlite', endpoints:[relay.url], plcUrl: directory.url, publisherDid:'did:plc:p'})
while (feedgen.counts.outcomes.applied < N) await sleep(5)
const s = (performance.now()-t0)/1000
console.log(N, 'events', s.toFixed(2), 's', Math.round(N/s), '/s', process.cpuUsage(cpu0).user/1e6)
for (const f of ['latest','hot']) { const t=performance.now(); for (let i=0;i<200;i++) await (await fetch(`${feedgen.url}/xrpc/app.bsky.feed.getFeedSkeleton?feed=at://did:plc:p/app.bsky.feed.generator/${f}&limit=30`)).json(); console.log(f, ((performance.now()-t)/200).toFixed(2),'ms') }
await feedgen[Symbol.asyncDispose](); await relay[Symbol.asyncDispose](); await directory[Symbol.asyncDispose]()
process.exit(0)
