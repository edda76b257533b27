// Joins a peer's socket to its wire, with nothing between them that copies or waits.
//
// Replaces webtorrent's `setThrottlePipes`, which sends every byte through six streams, two of them rate limiters that do
// nothing, lets small messages wait for Nagle's algorithm, and lets an exception in an extension, such as ut_metadata's on
// an empty message, end the whole process (no upstream issue found).
import type { Socket } from 'node:net'
import type Peer from 'webtorrent/lib/peer.js'
import { type BlockSink, createWireReader } from './wire-reader.ts'
import { createWireWriter } from './wire-writer.ts'

/** What the torrent adds to a pipe once the peer has been let in. */
export interface Pipe {
  /** Nothing waits that would stand before what is sent next. */
  readonly isFlushed: boolean
  sinkFor: (index: number, offset: number, length: number) => BlockSink | undefined
  onHeard: () => void
  /** Keeps what the peer says next until the answer is called: nobody listens to it yet. */
  hold(): () => void
  /** `isFlushed` is true again. */
  onFlushed: () => void
  /** Something is about to leave: what is said now goes along with it. */
  onLeaving: () => void
}

const pipes = new WeakMap<Peer, Pipe>()
const takers = new WeakMap<Socket, (bytes: Uint8Array) => void>()

/** The pipe of a connected peer. */
export const pipeOf = (peer: Peer): Pipe | undefined => pipes.get(peer)

/** Bytes that a socket with a buffer of its own has read; they are valid during the call. */
export const takeBytes = (socket: Socket, bytes: Uint8Array): void => takers.get(socket)?.(bytes)

/** To be called before the peer connects: it takes effect when webtorrent would build its own pipes. */
export const pipeDirectly = (peer: Peer): void => {
  peer.setThrottlePipes = () => {
    const { conn, wire } = peer
    if (conn === null || wire === null) return
    const onViolation = (reason: string): void => peer.destroy(new Error(reason))
    const writer = createWireWriter(conn, onViolation, {
      onFlushed: () => pipe.onFlushed(),
      onLeaving: () => pipe.onLeaving(),
    })
    const pipe: Pipe = {
      get isFlushed() {
        return writer.isFlushed
      },
      sinkFor: () => undefined,
      onHeard: () => {},
      hold: () => {
        isHeld = true
        conn.pause()
        return () => {
          isHeld = false
          for (const bytes of held.splice(0)) take(bytes)
          conn.resume()
        }
      },
      onFlushed: () => {},
      onLeaving: () => {},
    }
    let isHeld = false
    /** What a socket had read already when it was paused: one packet, seldom two. */
    const held: Uint8Array[] = []
    const read = createWireReader({
      wire,
      sinkFor: (...block) => pipe.sinkFor(...block),
      isHeld: () => isHeld,
      onViolation,
    })
    const take = (bytes: Uint8Array): void => {
      if (peer.destroyed) return
      try {
        pipe.onHeard()
        const taken = isHeld ? 0 : read(bytes)
        if (isHeld) held.push(Uint8Array.from(bytes.subarray(taken)))
      } catch (error) {
        peer.destroy(error as Error)
      }
    }
    pipes.set(peer, pipe)
    takers.set(conn, take)
    conn.setNoDelay?.(true) // WebRTC connections have no such thing.
    conn.on('data', take)
    wire._push = (bytes) => writer.write(bytes)
    wire._debug = () => {} // It formats its text for every message, read or not.
  }
}
