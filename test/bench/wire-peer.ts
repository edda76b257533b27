// One end of the wire benchmark, as a process of its own: `seed` or `fetch`, with our swarm. Prints one JSON line when it
// is ready and, for `fetch`, one when it is done.
import { readFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { parseMetainfo } from '@updraft/core/swarm/metainfo'
import { openSwarm } from '@updraft/core/swarm/webtorrent-swarm'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { metainfo: { type: 'string' }, directory: { type: 'string' }, peer: { type: 'string' } },
})
const [role] = positionals
const { metainfo: file = '', directory = '', peer } = values

const say = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`)

const metainfo = parseMetainfo(await readFile(file))
const swarm = await openSwarm({ port: 0, allowLoopback: true, dht: false, localDiscovery: false })
const bits = new Uint8Array(Math.ceil(metainfo.pieceHashes.length / 20 / 8))
const started = performance.now()
const before = process.cpuUsage()
const torrent = await swarm.add({
  metainfo,
  directory,
  have: role === 'seed' ? 'all' : bits,
  trackers: [],
  webSeeds: [],
  peers: peer === undefined ? [] : [peer],
})
say({ port: swarm.port })
if (role === 'fetch') {
  await torrent.whenDone({ stallTimeoutMs: 30_000 })
  const { user, system } = process.cpuUsage(before)
  say({
    seconds: (performance.now() - started) / 1_000,
    cpuSeconds: (user + system) / 1e6,
    rss: process.memoryUsage.rss(),
  })
  await swarm[Symbol.asyncDispose]()
} else {
  // The benchmark closes our input when it is done.
  process.stdin.on('end', () => {
    const { user, system } = process.cpuUsage(before)
    say({ cpuSeconds: (user + system) / 1e6, rss: process.memoryUsage.rss() })
    void swarm[Symbol.asyncDispose]()
  })
  process.stdin.resume()
}
