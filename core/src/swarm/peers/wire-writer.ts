// Sends what a wire says. Everything of one turn of the event loop leaves with one system call; small messages are joined,
// blocks are not copied.
//
// Replaces bittorrent-protocol's `_push`, which sends each message by itself through six streams, and keeps whatever a peer
// that never reads lets pile up (no upstream issue found).
import type { Socket } from 'node:net'

export interface WireWriter {
  /** Nothing waits here that would stand before what is written next. */
  readonly isFlushed: boolean
  write(bytes: Uint8Array): void
}

/** Far above what is queued for a peer that reads: it is sent blocks only while nothing waits. */
const QUEUE_LENGTH_MAX = 8 * 1024 * 1024
/** Joining costs a copy, sending apart an entry in the system call. */
const SMALL = 1024
/** What may wait in a WebRTC connection, which only tells when much has drained. */
const UNTOLD_BYTES_MAX = 64 * 1024

export interface WireWriterEvents {
  /** `isFlushed` is true again. */
  onFlushed(): void
  /** Everything that waits is about to be sent, with what is written now. */
  onLeaving(): void
}

export const createWireWriter = (
  connection: Socket,
  onViolation: (reason: string) => void,
  { onFlushed, onLeaving }: WireWriterEvents,
): WireWriter => {
  const isSocket = typeof connection.setNoDelay === 'function' // WebRTC connections have no such thing.
  let pending: Uint8Array[] = []
  let pendingBytes = 0

  const flush = (): void => {
    onLeaving()
    const parts = pending
    pending = []
    pendingBytes = 0
    if (connection.destroyed) return
    if (isSocket) connection.cork()
    for (const part of joinSmall(parts)) connection.write(part, onWritten)
    if (isSocket) connection.uncork()
  }

  const onWritten = (error?: Error | null): void => {
    if (error == null && isFlushed()) onFlushed()
  }
  if (!isSocket) connection.on('drain', onWritten)

  const queuedBytes = (): number => pendingBytes + queuedIn(connection)
  const isFlushed = (): boolean => queuedBytes() <= (isSocket ? 0 : UNTOLD_BYTES_MAX)

  return {
    get isFlushed() {
      return isFlushed()
    },
    write: (bytes) => {
      if (pending.length === 0) process.nextTick(flush)
      pending.push(bytes)
      pendingBytes += bytes.length
      if (queuedBytes() > QUEUE_LENGTH_MAX) onViolation('it does not read')
    },
  }
}

function* joinSmall(parts: readonly Uint8Array[]): Iterable<Uint8Array> {
  let small: Uint8Array[] = []
  for (const part of parts) {
    if (part.length <= SMALL) {
      small.push(part)
      continue
    }
    if (small.length > 0) yield Buffer.concat(small)
    small = []
    yield part
  }
  if (small.length > 0) yield Buffer.concat(small)
}

/** TCP sockets count what they have queued; WebRTC connections, which are streams of another make, count it elsewhere. */
const queuedIn = (connection: Socket): number => {
  const { writableLength, _writableState } = connection as {
    readonly writableLength?: number
    readonly _writableState?: { readonly buffered?: number }
  }
  return writableLength ?? _writableState?.buffered ?? 0
}
