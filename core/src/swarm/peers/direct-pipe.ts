// Joins a peer's socket to its wire, and bounds what the other side can make the wire hold.
//
// Replaces webtorrent's `setThrottlePipes`, which sends every byte through six streams, two of them rate limiters that do
// nothing, and leaves four doors open (no upstream issue found for any of them): a message may announce 2 GiB and is
// collected until it is complete; an exception in an extension, such as ut_metadata's on an empty message, ends the whole
// process; answers to a peer that never reads pile up without end; and small messages wait for Nagle's algorithm.
// Can go when webtorrent bounds messages and queues itself.
import type Wire from 'bittorrent-protocol'
import type Peer from 'webtorrent/lib/peer.js'

/** A bit field of the most pieces that a metainfo can have is 105 KiB, a block at most 128 KiB. */
const MESSAGE_LENGTH_MAX = 256 * 1024

/** Far above what is queued for a peer that reads: blocks are only added below 512 KiB. */
const QUEUE_LENGTH_MAX = 8 * 1024 * 1024

/** To be called before the peer connects: it takes effect when webtorrent would build its own pipes. */
export const pipeDirectly = (peer: Peer): void => {
  peer.setThrottlePipes = () => {
    const { conn, wire } = peer
    if (conn === null || wire === null) return
    conn.setNoDelay?.(true) // WebRTC connections have no such thing.
    boundMessages(wire, () => peer.destroy(new Error('message too long')))

    let corked = false
    wire._push = (bytes) => {
      if (conn.destroyed) return
      // One system call for everything that is said in one turn: a block is a header and its data.
      if (!corked && conn.cork !== undefined) {
        corked = true
        conn.cork()
        process.nextTick(() => {
          corked = false
          conn.uncork()
        })
      }
      conn.write(bytes)
      if (conn.writableLength > QUEUE_LENGTH_MAX) peer.destroy(new Error('peer does not read'))
    }
    conn.on('data', (bytes: Buffer) => {
      if (peer.destroyed) return
      try {
        wire._write(bytes, () => {})
      } catch (error) {
        peer.destroy(error as Error)
      }
    })
  }
}

const boundMessages = (wire: Wire, onTooLong: () => void): void => {
  const read = wire._onMessageLength
  wire._onMessageLength = (bytes) => {
    const length = Buffer.from(bytes.buffer, bytes.byteOffset, 4).readUInt32BE()
    if (length > MESSAGE_LENGTH_MAX) onTooLong()
    else read.call(wire, bytes)
  }
}
