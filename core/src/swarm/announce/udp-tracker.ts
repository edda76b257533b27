// A tracker over UDP (BEP 15), with the repetitions that UDP needs.
//
// Replaces the client in bittorrent-tracker, which sends each packet once, speaks IPv4 only, and sends to whatever a name
// resolves to (no upstream issue found).
import { randomBytes } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { isIPv6 } from 'node:net'
import { type AddressPolicy, plainAddress, resolveAllowed } from '../peers/addresses.ts'
import {
  type Announcement,
  type Identity,
  parseCompactPeers,
  peersWanted,
  type Tracker,
  type TrackerAnswer,
} from './tracker.ts'

const PROTOCOL = 0x417_2710_1980n
const [CONNECT, ANNOUNCE, ERROR] = [0, 1, 3]
const EVENTS = { none: 0, completed: 1, started: 2, stopped: 3 } as const

/** BEP 15 waits 15 s before it repeats; on today's links a packet is lost after one. */
const REPEAT_AFTER_MS = [1_000, 2_000, 4_000, 8_000]

export const createUdpTracker = (url: string, identity: Identity, policy: AddressPolicy): Tracker => {
  const { hostname, port } = new URL(url)
  const key = randomBytes(4)
  return {
    announce: async (announcement, signal) => {
      const [address = ''] = await resolveAllowed(plainAddress(hostname), policy)
      await using channel = openChannel(address, Number(port), signal)

      const connectRequest = Buffer.alloc(16)
      connectRequest.writeBigUInt64BE(PROTOCOL)
      connectRequest.writeUInt32BE(CONNECT, 8)
      const connection = await channel.ask(connectRequest, 16)

      const answer = await channel.ask(announceRequest(connection.subarray(8, 16), identity, announcement, key), 20)
      return parseAnswer(answer, isIPv6(address) ? 16 : 4)
    },
  }
}

const announceRequest = (
  connectionId: Uint8Array,
  { infoHash, peerId, port }: Identity,
  { event, uploadedBytes, downloadedBytes, leftBytes }: Announcement,
  key: Uint8Array,
): Buffer => {
  const request = Buffer.alloc(98)
  request.set(connectionId)
  request.writeUInt32BE(ANNOUNCE, 8)
  request.write(infoHash, 16, 'hex')
  request.write(peerId, 36, 'hex')
  request.writeBigUInt64BE(BigInt(downloadedBytes), 56)
  request.writeBigUInt64BE(BigInt(leftBytes), 64)
  request.writeBigUInt64BE(BigInt(uploadedBytes), 72)
  request.writeUInt32BE(EVENTS[event ?? 'none'], 80)
  request.set(key, 88) // Our address, at 84, stays 0: the tracker sees it.
  request.writeInt32BE(peersWanted({ event }), 92)
  request.writeUInt16BE(port, 96)
  return request
}

const parseAnswer = (answer: Buffer, addressLength: 4 | 16): TrackerAnswer => ({
  intervalMs: answer.readUInt32BE(8) * 1000 || undefined,
  minIntervalMs: undefined,
  leechers: answer.readUInt32BE(12),
  seeders: answer.readUInt32BE(16),
  peers: parseCompactPeers(answer.subarray(20), addressLength),
})

interface Channel extends AsyncDisposable {
  /** Sends `request` with a fresh transaction id until it is answered with at least `minLength` bytes. */
  ask(request: Buffer, minLength: number): Promise<Buffer>
}

const openChannel = (address: string, port: number, signal: AbortSignal): Channel => {
  const socket = createSocket(isIPv6(address) ? 'udp6' : 'udp4')

  const ask = (request: Buffer, minLength: number): Promise<Buffer> =>
    new Promise((resolve, reject) => {
      const action = request.readUInt32BE(8)
      const transaction = randomBytes(4)
      request.set(transaction, 12)
      let timer: NodeJS.Timeout | undefined

      const settle = (act: () => void): void => {
        clearTimeout(timer)
        socket.removeAllListeners()
        socket.on('error', () => {}) // Whatever comes now belongs to no request.
        signal.removeEventListener('abort', onAbort)
        act()
      }
      const onAbort = (): void => settle(() => reject(new Error('interrupted')))
      const onMessage = (message: Buffer): void => {
        // Anyone can send us packets: only an answer to this very request counts.
        if (message.length < 8 || Buffer.compare(message.subarray(4, 8), transaction) !== 0) return
        const answered = message.readUInt32BE()
        if (answered === ERROR) {
          settle(() => reject(new Error(`the tracker refuses: ${message.toString('utf8', 8, 208)}`)))
        } else if (answered === action && message.length >= minLength) {
          settle(() => resolve(message))
        }
      }
      const send = (attempt: number): void => {
        const waitMs = REPEAT_AFTER_MS[attempt]
        if (waitMs === undefined) {
          settle(() => reject(new Error('no answer')))
          return
        }
        socket.send(request, port, address)
        timer = setTimeout(() => send(attempt + 1), waitMs)
      }

      if (signal.aborted) return reject(new Error('interrupted'))
      signal.addEventListener('abort', onAbort)
      socket.on('message', onMessage)
      socket.on('error', (error) => settle(() => reject(error)))
      send(0)
    })

  return {
    ask,
    [Symbol.asyncDispose]: () => new Promise((closed) => socket.close(() => closed())),
  }
}
