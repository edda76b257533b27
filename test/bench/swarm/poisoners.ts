// Peers that say they have everything and send random bytes: one process, one peer for each address that it is given. They
// listen, announce themselves, and call everyone whom the tracker names, again and again. Asked for a report, they say whom they
// have sent something, and whom they are connected with at this moment.
import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { get } from 'node:http'
import { connect, createServer, type Socket } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { parseArgs } from 'node:util'
import { decodeBencode, isDictionary } from '@updraft/core/swarm/bencode'
import { parseMetainfo } from '@updraft/core/swarm/metainfo'
import Wire, { type BlockCallback } from 'bittorrent-protocol'

const { values } = parseArgs({
  options: {
    metainfo: { type: 'string', default: '' },
    tracker: { type: 'string', default: '' },
    address: { type: 'string', multiple: true, default: [] },
  },
})
const { infoHash } = parseMetainfo(await readFile(values.metainfo))

const PORT = 6_881
const CALL_AGAIN_MS = 5_000
const poison = randomBytes(128 * 1024)

export interface PoisonersReport {
  /** `POISONER MACHINE` each: it was sent at least one block. */
  readonly sent: readonly string[]
  /** The same: there is a connection, and both have said hello. */
  readonly connected: readonly string[]
}
const sent = new Set<string>()
const connected = new Map<Socket, string>()

const join = (socket: Socket, peerId: string): void => {
  const wire = new Wire()
  const pair = `${socket.localAddress} ${socket.remoteAddress}`
  wire.on('handshake', () => connected.set(socket, pair))
  socket.on('close', () => connected.delete(socket))
  socket.on('error', () => {}) // Banned: that is what they are here for.
  wire.on('error', () => {})
  socket.pipe(wire as unknown as NodeJS.WritableStream)
  wire.pipe(socket)
  wire.handshake(infoHash, peerId, { fast: true })
  wire.on('handshake', () => queueMicrotask(() => wire.haveAll()))
  wire.on('interested', () => wire.unchoke())
  wire.on('request', (_index: number, _offset: number, length: number, respond: BlockCallback) => {
    sent.add(pair)
    respond(null, poison.subarray(0, length))
  })
}

/** Everybody whom the tracker names, as `host:port`. */
const announce = (localAddress: string, peerId: string): Promise<readonly string[]> =>
  new Promise((resolve) => {
    const hash = infoHash.replace(/../g, '%$&')
    const id = peerId.replace(/../g, '%$&')
    const query = `info_hash=${hash}&peer_id=${id}&port=${PORT}&uploaded=0&downloaded=0&left=0&compact=1`
    get(`${values.tracker}?${query}`, { localAddress }, async (response) => {
      const answer = decodeBencode(await buffer(response))
      const peers = isDictionary(answer) ? answer.entries.get('peers') : undefined
      const bytes = Buffer.from(peers instanceof Uint8Array ? peers : [])
      resolve(
        Array.from({ length: bytes.length / 6 }, (_, peer) => {
          const at = peer * 6
          return `${bytes.subarray(at, at + 4).join('.')}:${bytes.readUInt16BE(at + 4)}`
        }),
      )
    }).on('error', () => resolve([])) // The lab is being taken down.
  })

for (const address of values.address) {
  const peerId = randomBytes(20).toString('hex')
  createServer((socket) => join(socket, peerId)).listen(PORT, address)
  const callAll = async (): Promise<void> => {
    for (const peer of await announce(address, peerId)) {
      const [host = '', port] = peer.split(':')
      if (values.address.includes(host)) continue
      const socket = connect({ host, port: Number(port), localAddress: address })
      socket.once('connect', () => join(socket, peerId))
      socket.on('error', () => {})
    }
  }
  void callAll()
  setInterval(() => void callAll(), CALL_AGAIN_MS)
}
process.stdout.write('{"ready":true}\n')
process.stdin.on('end', () => process.exit())
process.stdin.on('data', () => {
  const report: PoisonersReport = { sent: [...sent], connected: [...new Set(connected.values())] }
  process.stdout.write(`${JSON.stringify(report)}\n`)
})
