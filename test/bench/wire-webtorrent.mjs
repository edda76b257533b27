// One end of the wire benchmark with webtorrent as it comes, but over TCP (with uTP it is three times slower), without
// encryption, and without looking for anybody. Prints the same JSON lines as wire-peer.ts.
import { readFileSync } from 'node:fs'
import WebTorrent from 'webtorrent'

const [role, file, path, peer] = process.argv.slice(2)
const client = new WebTorrent({
  utp: false,
  dht: false,
  lsd: false,
  tracker: false,
  natUpnp: false,
  natPmp: false,
  secure: 0,
})
const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`)
const before = process.cpuUsage()
const cpuSeconds = () => {
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1e6
}

await new Promise((resolve) => client.once('listening', resolve))
const started = performance.now()
const torrent = client.add(readFileSync(file), { path, skipVerify: role === 'seed' })
torrent.once('ready', () => {
  say({ port: client.torrentPort })
  if (role === 'fetch') torrent.addPeer(peer)
})
if (role === 'fetch') {
  torrent.once('done', () => {
    say({ seconds: (performance.now() - started) / 1_000, cpuSeconds: cpuSeconds() })
    client.destroy(() => process.exit())
  })
} else {
  process.stdin.on('end', () => {
    say({ cpuSeconds: cpuSeconds() })
    client.destroy(() => process.exit())
  })
  process.stdin.resume()
}
