// A peer written by hand that speaks the extension `updraft_tuf` over a bare socket, and says what a test wants.
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { decodeBencode, encodeBencode, isDictionary } from '@updraft/core/swarm/bencode'
import { formatMessage, type Message, parseMessage } from '@updraft/core/swarm/news/message'

export interface Talk {
  /** What this peer sends as a message of the extension. */
  say(bytes: Uint8Array): void
  tell(message: Parameters<typeof formatMessage>[0]): void
  readonly socket: Socket
}

export interface NewsPeerOptions {
  /** The other end speaks the extension; the first thing to be said. */
  readonly onReady?: (talk: Talk) => void
  readonly onMessage?: (message: Message, talk: Talk) => void
}

export interface NewsPeer extends AsyncDisposable {
  readonly address: string
  /** Connections that got as far as the extension. */
  readonly talks: () => number
}

/** Waits for calls, under any infohash. */
export const openNewsPeer = async (options: NewsPeerOptions): Promise<NewsPeer> => {
  let talks = 0
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    converse(socket, undefined, {
      ...options,
      onReady: (talk) => {
        talks += 1
        options.onReady?.(talk)
      },
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    talks: () => talks,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise((closed) => server.close(closed))
    },
  }
}

/** Calls the port under that infohash. Resolves once the connection is over. */
export const callAsNewsPeer = async (port: number, infoHash: string, options: NewsPeerOptions): Promise<void> => {
  const socket = connect({ host: '127.0.0.1', port })
  converse(socket, infoHash, options)
  await once(socket, 'close').catch(() => undefined)
}

const HANDSHAKE_LENGTH = 68
const OUR_NUMBER = 1

const converse = (socket: Socket, infoHash: string | undefined, { onReady, onMessage }: NewsPeerOptions): void => {
  let buffered = Buffer.alloc(0)
  let isGreeted = false
  let theirNumber = 0
  socket.on('error', () => {}) // A victim that hangs up is what these tests want.

  const shakeHands = (hash: Buffer): void => {
    const protocol = Buffer.concat([Buffer.from([19]), Buffer.from('BitTorrent protocol')])
    const reserved = Buffer.from([0, 0, 0, 0, 0, 0x10, 0, 0])
    const id = Buffer.from(`-XX0001-${Math.random().toString(36).padEnd(14, 'x').slice(2, 14)}`)
    socket.write(Buffer.concat([protocol, reserved, hash, id]))
    send(0, encodeBencode({ m: { updraft_tuf: OUR_NUMBER } }))
  }
  const send = (number: number, body: Uint8Array): void => {
    const head = Buffer.from([0, 0, 0, 0, 20, number])
    head.writeUInt32BE(2 + body.length)
    socket.write(Buffer.concat([head, body]))
  }
  const talk: Talk = {
    socket,
    say: (bytes) => send(theirNumber, bytes),
    tell: (message) => talk.say(formatMessage(message)),
  }
  const hear = (number: number, body: Buffer): void => {
    if (number === OUR_NUMBER) onMessage?.(parseMessage(body), talk)
    if (number !== 0) return
    const handshake = decodeBencode(body, { keyOrder: 'any' })
    const numbers = isDictionary(handshake) ? handshake.entries.get('m') : undefined
    theirNumber = Number(isDictionary(numbers) ? numbers.entries.get('updraft_tuf') : 0)
    onReady?.(talk)
  }

  if (infoHash !== undefined) socket.once('connect', () => shakeHands(Buffer.from(infoHash, 'hex')))
  socket.on('data', (data) => {
    buffered = Buffer.concat([buffered, data])
    if (!isGreeted && buffered.length >= HANDSHAKE_LENGTH) {
      isGreeted = true
      if (infoHash === undefined) shakeHands(buffered.subarray(28, 48))
      buffered = buffered.subarray(HANDSHAKE_LENGTH)
    }
    while (isGreeted && buffered.length >= 4 && buffered.length >= 4 + buffered.readUInt32BE()) {
      const message = buffered.subarray(4, 4 + buffered.readUInt32BE())
      buffered = buffered.subarray(4 + message.length)
      if (message[0] === 20) hear(message[1] ?? 0, message.subarray(2))
    }
  })
}

/** Answers what is asked out of files with the paths of a repository, in parts, as an honest machine does. */
export const answering =
  (files: ReadonlyMap<string, Buffer>): NonNullable<NewsPeerOptions['onMessage']> =>
  (message, { tell }) => {
    if (message.kind === 'when') tell({ kind: 'none', id: message.id })
    if (message.kind !== 'get') return
    const file = files.get(message.path)
    if (file === undefined) tell({ kind: 'none', id: message.id })
    else {
      const bytes = file.subarray(message.offset, message.offset + 65_536)
      tell({ kind: 'part', id: message.id, totalBytes: file.length, bytes })
    }
  }
