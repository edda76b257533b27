// Run by exit.test.ts: a download from a peer, a tracker and a web seed, one that never gets anywhere, machines that talk,
// everything closed, and then the list of what still holds the process open, which must be empty.
import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createMetainfo } from '@updraft/core/swarm/metainfo'
import { NO_EDITION, topicOf } from '@updraft/core/swarm/news/news'
import { openSwarm } from '@updraft/core/swarm/webtorrent-swarm'

const folder = await mkdtemp(join(tmpdir(), 'updraft-exit-'))
const pack = randomBytes(1024 * 1024)
await mkdir(join(folder, 'seed', 'acme'), { recursive: true })
await writeFile(join(folder, 'seed', 'acme', 'pack'), pack)
const metainfo = await createMetainfo({
  name: 'acme',
  files: [{ path: 'pack', file: join(folder, 'seed', 'acme', 'pack') }],
  pieceLength: 16 * 1024,
  trackers: [],
  webSeeds: [],
})
/** Accepts and never answers, as a tracker and as a web seed. */
const silent = createServer(() => {})
await new Promise<void>((listening) => silent.listen(0, '127.0.0.1', listening))
const nowhere = `http://127.0.0.1:${(silent.address() as AddressInfo).port}/`

const options = { port: 0, allowLoopback: true, dht: false, localDiscovery: false }
const [a, b, c] = await Promise.all([
  openSwarm(options),
  openSwarm(options),
  openSwarm({ ...options, downloadLimit: 1_000 }),
])
const torrent = { metainfo, trackers: [nowhere, 'udp://127.0.0.1:9'], webSeeds: [nowhere] }
await a.add({ ...torrent, directory: join(folder, 'seed'), have: 'all' })
const peers = [`127.0.0.1:${a.port}`, '127.0.0.1:9']
const [fetched, slow] = await Promise.all([
  b.add({ ...torrent, directory: join(folder, 'b'), have: 'check', peers }),
  c.add({ ...torrent, directory: join(folder, 'c'), have: 'check', peers }),
])
await fetched.whenDone({ stallTimeoutMs: 20_000 })
const meeting = {
  topics: [topicOf('1'.repeat(64))],
  library: { edition: async () => NO_EDITION, read: async () => undefined, ageOf: async () => undefined },
  onTold: () => {},
  onPeer: () => {},
}
const [, calling] = await Promise.all([a.meet(meeting), b.meet(meeting)])
const talking = await calling.call(`127.0.0.1:${a.port}`)
await talking.fetch('metadata/timestamp.json', 9)
await calling.call('127.0.0.1:9').catch(() => {})
const interrupted = slow.whenDone({ stallTimeoutMs: 20_000 }).catch((error: { code?: string }) => error.code)
await Promise.all([a, b, c].map((swarm) => swarm[Symbol.asyncDispose]()))
if ((await interrupted) !== 'ABORTED') throw new Error(`the slow download ended with ${await interrupted}`)
silent.closeAllConnections()
await new Promise((closed) => silent.close(closed))
await rm(folder, { recursive: true })

// Closed handles are gone after the next turn of the event loop; anything that stays keeps the process from ending.
await new Promise((resolve) => setImmediate(resolve))
const left = process
  .getActiveResourcesInfo()
  .filter((kind) => !['Immediate', 'CloseReq', 'PipeWrap', 'TTYWrap'].includes(kind))
process.stdout.write(`closed: ${left.length === 0 ? 'nothing is left' : left.join(', ')}\n`)
