// A BitTorrent peer that does what it is told to, good or bad, written on the protocol library alone.
import { randomBytes } from 'node:crypto'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import type { Metainfo } from '@updraft/core/swarm/metainfo'
import Wire from 'bittorrent-protocol'
import { atEnd, type Build, PIECE_LENGTH } from './swarm-support.ts'

export interface HostilePeer {
  /** Where it listens. */
  readonly endpoint: string
  /** Connections that reached a handshake, and are still there. */
  readonly wires: ReadonlySet<Wire>
  /** Handshakes so far, in both directions. */
  readonly handshakes: number
  /** Bytes of blocks that it sent. */
  readonly sentBytes: number
  /** Calls somebody. Resolves once the connection is there. */
  call(port: number): Promise<Socket>
}

export interface HostilePeerOptions {
  readonly metainfo: Metainfo
  /** Every 127.x.y.z is this machine, so peers can have addresses of their own. */
  readonly address?: string
  readonly peerId?: string
  /** After the handshake, before anything else is said. */
  readonly greet?: (wire: Wire) => void
  /** What it sends for a block; nothing at all for undefined. */
  readonly serve?: (index: number, offset: number, length: number) => Uint8Array | undefined
}

export const openHostilePeer = async (options: HostilePeerOptions): Promise<HostilePeer> => {
  const { metainfo, address = '127.0.0.2', peerId = randomBytes(20).toString('hex'), serve = () => undefined } = options
  const greet = options.greet ?? ((wire: Wire) => wire.haveAll())
  const wires = new Set<Wire>()
  const sockets = new Set<Socket>()
  let handshakes = 0
  let sentBytes = 0

  const join = (socket: Socket, isCaller: boolean): void => {
    const wire = new Wire()
    sockets.add(socket)
    socket.pipe(wire as unknown as NodeJS.WritableStream)
    wire.pipe(socket)
    socket.on('error', () => {})
    wire.on('error', () => {})
    socket.on('close', () => {
      sockets.delete(socket)
      wires.delete(wire)
    })
    const hello = (): void => wire.handshake(metainfo.infoHash, peerId, { fast: true })
    if (isCaller) hello()
    wire.on('handshake', () => {
      if (!isCaller) hello()
      handshakes += 1
      wires.add(wire)
      queueMicrotask(() => greet(wire))
    })
    wire.on('interested', () => wire.unchoke())
    wire.on('request', (index: number, offset: number, length: number, respond: (e: null, b: Uint8Array) => void) => {
      const block = serve(index, offset, length)
      if (block === undefined) return
      sentBytes += block.length
      respond(null, block)
    })
  }

  const server = createServer((socket) => join(socket, false))
  await new Promise<void>((listening) => server.listen(0, address, listening))
  atEnd(() => {
    for (const socket of sockets) socket.destroy()
    return new Promise((closed) => server.close(closed))
  })

  return {
    endpoint: `${address}:${(server.address() as AddressInfo).port}`,
    wires,
    get handshakes() {
      return handshakes
    },
    get sentBytes() {
      return sentBytes
    },
    call: (port) =>
      new Promise((resolve, reject) => {
        const socket = connect({ port, host: '127.0.0.1', localAddress: address })
        socket.once('error', reject)
        socket.once('connect', () => {
          join(socket, true)
          resolve(socket)
        })
      }),
  }
}

/** The right block, as an honest peer would send it. */
export const rightBlock = ({ index, pack }: Build, piece: number, offset: number, length: number): Buffer => {
  const start = piece * PIECE_LENGTH + offset
  return Buffer.concat([index, pack]).subarray(start, start + length)
}

export const wrongBlock = (length: number): Buffer => randomBytes(length)
