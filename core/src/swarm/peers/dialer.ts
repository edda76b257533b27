// Calls the peers that are waiting to be called, and calls again those that were lost.
//
// Replaces webtorrent's `_drain`, whose sockets take 64 KiB of fresh memory for every read, half of the receiver's garbage
// (no upstream issue found; Node's `onread` reads into one buffer), and which gives a peer up after 21 s.
import { connect, type Socket } from 'node:net'
import type { Torrent } from 'webtorrent'
import type Peer from 'webtorrent/lib/peer.js'
import { parseEndpoint } from './addresses.ts'
import { takeBytes } from './direct-pipe.ts'

const READ_BUFFER_BYTES = 128 * 1024

/** After these, the peer is forgotten, unless a tracker or another peer names it again. */
const CALL_AGAIN_AFTER_MS = [1_000, 3_000, 10_000, 30_000, 60_000]

export const dialPeers = (torrent: Torrent): void => {
  torrent._drain = () => {
    while (!torrent.destroyed && torrent._numConns + torrent._numPending < torrent.client.maxConns) {
      const peer = torrent._queue.shift()
      if (peer === undefined) return
      if (!peer.destroyed) dial(torrent, peer)
    }
  }
}

const dial = (torrent: Torrent, peer: Peer): void => {
  const endpoint = parseEndpoint(peer.addr ?? '')
  if (endpoint === undefined) return
  const socket: Socket = connect({
    ...endpoint,
    onread: {
      // One for each socket: on Windows, a read is under way before there is anything to read.
      buffer: Buffer.allocUnsafeSlow(READ_BUFFER_BYTES),
      callback: (length, buffer) => {
        takeBytes(socket, buffer.subarray(0, length))
        return true
      },
    },
  })
  peer.conn = socket
  torrent._numPending += 1
  let isPending = true
  const settle = (): void => {
    if (isPending) torrent._numPending -= 1
    isPending = false
  }
  socket.once('connect', () => {
    settle()
    if (!torrent.destroyed) peer.onConnect()
  })
  socket.once('error', (error) => {
    settle()
    peer.destroy(error)
  })
  socket.once('close', () => {
    settle()
    callAgain(torrent, peer)
  })
  peer.startConnectTimeout()
}

const callAgain = (torrent: Torrent, peer: Peer): void => {
  const waitMs = CALL_AGAIN_AFTER_MS[peer.retries]
  if (torrent.destroyed || waitMs === undefined) return
  setTimeout(() => {
    if (torrent.destroyed) return
    const again = torrent._addPeer(peer.addr ?? '', 'tcp', peer.source)
    if (again !== null) again.retries = peer.retries + 1
  }, waitMs).unref()
}
