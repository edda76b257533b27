// Cuts what a peer sends into messages (BEP 3). Blocks go straight to their place in the piece, in the order in which
// they trickle in; everything else is small, bounded, and handed to bittorrent-protocol.
//
// Replaces bittorrent-protocol's `_write`, which joins all bytes that have come with all that are left, for every packet,
// and collects whatever length a message announces, up to 2 GiB (no upstream issue found). Can go when both are mended.
import type Wire from 'bittorrent-protocol'
import { beginsWithBencode } from '../bencode.ts'

/** Where a block belongs that was asked for. */
export interface BlockSink {
  readonly place: Uint8Array
  /** False once somebody else has sent the block, or nobody wants it any more: the place may be in other use then. */
  isOpen(): boolean
}

export interface WireReaderOptions {
  readonly wire: Wire
  /** Undefined for a block that nobody asked for. */
  readonly sinkFor: (index: number, offset: number, length: number) => BlockSink | undefined
  /** Asked after each message: while it says so, no more are taken. */
  readonly isHeld?: () => boolean
  readonly onViolation: (reason: string) => void
}

/** A bit field of the most pieces that a metainfo can have is 105 KiB, a block at most 128 KiB. */
const MESSAGE_LENGTH_MAX = 256 * 1024

const PROTOCOL = 'BitTorrent protocol'
const HANDSHAKE_LENGTH = 68
const BLOCK_HEAD_LENGTH = 8
const PIECE_MESSAGE = 7
const EXTENDED_MESSAGE = 20
/** BEP 54: the number of a piece and nothing else. All other extensions are bencoded. */
const PLAIN_EXTENSION = 'lt_donthave'

type Stage = 'first byte' | 'handshake' | 'length' | 'kind' | 'message' | 'block head' | 'block' | 'over'

/**
 * Gives the function that takes the bytes as they come, and says how many it has taken: fewer than all if it was held. They may
 * be overwritten when it returns.
 */
export const createWireReader = (options: WireReaderOptions): ((bytes: Uint8Array) => number) => {
  const { wire, sinkFor, isHeld = () => false, onViolation } = options
  let stage: Stage = 'first byte'
  const head = Buffer.alloc(HANDSHAKE_LENGTH)
  let collected: Uint8Array = head
  let needed = 1
  let filled = 0
  let messageLength = 0
  let [index, offset, blockLength, received] = [0, 0, 0, 0]
  let sink: BlockSink | undefined

  const expect = (next: Stage, length: number, into: Uint8Array = head): void => {
    stage = next
    needed = length
    collected = into
    filled = 0
  }

  const fail = (reason: string): void => {
    stage = 'over'
    onViolation(reason)
  }

  const advance = (): void => {
    switch (stage) {
      case 'first byte':
        if (head[0] === PROTOCOL.length) expect('handshake', HANDSHAKE_LENGTH)
        else fail('no BitTorrent handshake') // At once: what speaks HTTP may never send as much as a handshake.
        filled = 1
        break
      case 'handshake':
        endHandshake()
        break
      case 'length':
        messageLength = head.readUInt32BE()
        if (messageLength > MESSAGE_LENGTH_MAX) fail(`a message of ${messageLength} bytes`)
        else if (messageLength > 0) expect('kind', 1)
        else expectMessage(() => wire._onKeepAlive())
        break
      case 'kind':
        if (head[0] === PIECE_MESSAGE && messageLength > BLOCK_HEAD_LENGTH) expect('block head', BLOCK_HEAD_LENGTH)
        else beginMessage()
        break
      case 'message':
        endMessage()
        break
      case 'block head':
        beginBlock()
        break
    }
  }

  /** Whatever `act` leads to, the next message begins behind this one. */
  const expectMessage = (act: () => void): void => {
    expect('length', 4)
    act()
  }

  const endHandshake = (): void => {
    const isBitTorrent = head.toString('latin1', 1, 1 + PROTOCOL.length) === PROTOCOL
    if (isBitTorrent) expectMessage(() => wire._onHandshakeBuffer(Uint8Array.from(head.subarray(1))))
    else fail('no BitTorrent handshake')
  }

  const beginMessage = (): void => {
    const message = new Uint8Array(messageLength)
    message[0] = head[0] ?? 0
    expect('message', messageLength, message)
    filled = 1
    if (messageLength === 1) endMessage()
  }

  const endMessage = (): void => {
    const message = collected
    // BEP 10: after the byte for "extended" stands the number that we gave the extension, 0 for the handshake.
    const isBencoded = message[0] === EXTENDED_MESSAGE && wire.extendedMapping[message[1] ?? 0] !== PLAIN_EXTENSION
    if (isBencoded && !beginsWithBencode(message.subarray(2))) fail('a malformed extension message')
    else expectMessage(() => wire._onMessage(message))
  }

  const beginBlock = (): void => {
    index = head.readUInt32BE(0)
    offset = head.readUInt32BE(4)
    blockLength = messageLength - 1 - BLOCK_HEAD_LENGTH
    received = 0
    sink = sinkFor(index, offset, blockLength)
    stage = 'block'
    if (blockLength === 0) endBlock()
  }

  const endBlock = (): void => {
    const place = sink?.isOpen() === true ? sink.place : undefined
    sink = undefined
    expectMessage(() => {
      if (place === undefined) dismissBlock()
      else wire._onPiece(index, offset, place)
    })
  }

  /** Counts it; the request, if there still is one, is answered with nothing. */
  const dismissBlock = (): void => {
    wire._callback(wire._pull(wire.requests, index, offset, blockLength), new Error('the block is not wanted any more'))
    wire.emit('download', blockLength)
  }

  const takeBlock = (bytes: Uint8Array): number => {
    const length = Math.min(blockLength - received, bytes.length)
    if (sink?.isOpen() === true) sink.place.set(bytes.subarray(0, length), received)
    else sink = undefined
    received += length
    if (received === blockLength) endBlock()
    return length
  }

  const collect = (bytes: Uint8Array): number => {
    const length = Math.min(needed - filled, bytes.length)
    collected.set(bytes.subarray(0, length), filled)
    filled += length
    if (filled === needed) advance()
    return length
  }

  return (bytes) => {
    let at = 0
    while (at < bytes.length && stage !== 'over' && !wire._finished && !isHeld()) {
      const rest = at === 0 ? bytes : bytes.subarray(at)
      at += stage === 'block' ? takeBlock(rest) : collect(rest)
    }
    return at
  }
}
