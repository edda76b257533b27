// One machine of the lab with our swarm, the same that agents and origins run: `origin`, `seed` or `agent`. Says
// `{"ready":true}`, begins when it is told `go`, says `{"done":true}` once it has everything, and at the end what it counted.
import { readFile } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'
import { isUpdateError } from '@updraft/core/errors'
import { parseMetainfo } from '@updraft/core/swarm/metainfo'
import { memoryBans } from '@updraft/core/swarm/peers/bans'
import { openSwarm } from '@updraft/core/swarm/webtorrent-swarm'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    metainfo: { type: 'string', default: '' },
    directory: { type: 'string', default: '' },
    tracker: { type: 'string', multiple: true, default: [] },
    'web-seed': { type: 'string', multiple: true, default: [] },
    yields: { type: 'boolean', default: false },
    /** Bytes per second. */
    'upload-limit': { type: 'string' },
    'download-limit': { type: 'string' },
  },
})
const [role] = positionals
/** A machine that gets nothing for so long is given up; the lab sees it as one that has not finished. */
const STALL_TIMEOUT_MS = 10 * 60_000
const LOOK_EVERY_MS = 20

const say = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`)

const rateOf = (text: string | undefined): number | undefined => (text === undefined ? undefined : Number(text))
const banned = new Set<string>()
const bans = memoryBans()

const metainfo = parseMetainfo(await readFile(values.metainfo))
const swarm = await openSwarm({
  port: 0,
  allowLoopback: true,
  dht: false,
  localDiscovery: false,
  isOrigin: role === 'origin',
  yields: values.yields,
  uploadLimit: rateOf(values['upload-limit']),
  downloadLimit: rateOf(values['download-limit']),
  bans: {
    isBanned: bans.isBanned,
    ban: (subject, reason) => {
      banned.add(subject)
      bans.ban(subject, reason)
    },
  },
})
say({ ready: true })
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]()
await lines.next()
const startedAt = performance.now()
const torrent = await swarm.add({
  metainfo,
  directory: values.directory,
  have: role === 'agent' ? 'check' : 'all',
  trackers: values.tracker,
  webSeeds: values['web-seed'],
  onWarning: (message) => process.env.LAB_WARNINGS && process.stderr.write(`${message}\n`),
})
let firstBytesMs: number | undefined
const look = setInterval(() => {
  const { bytes, done } = torrent.state()
  if (bytes.peers + bytes.origin === 0 && !done) return
  firstBytesMs = performance.now() - startedAt
  clearInterval(look)
}, LOOK_EVERY_MS)
if (role === 'agent') {
  torrent.whenDone({ stallTimeoutMs: STALL_TIMEOUT_MS }).then(
    () => say({ done: true }),
    (error: unknown) => {
      if (!isUpdateError(error)) throw error
      if (error.code !== 'ABORTED') process.stderr.write(`${error.code}: ${error.message}\n`)
    },
  )
}
await lines.next()
const { bytes, uploadedBytes } = torrent.state()
say({ receivedBytes: bytes.peers + bytes.origin, sentBytes: uploadedBytes, firstBytesMs, banned: [...banned] })
clearInterval(look)
await swarm[Symbol.asyncDispose]()
