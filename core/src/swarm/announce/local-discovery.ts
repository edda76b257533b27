// Finds peers on the local network (BEP 14): one multicast socket for all torrents of the swarm.
//
// Replaces bittorrent-lsd, of which any single datagram from the network can end the process, which adds the peers of any
// torrent to every other, and whose socket errors end the torrent (no upstream issue found).
import { randomBytes } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { networkInterfaces } from 'node:os'
import type { Endpoint } from '../peers/addresses.ts'

export interface LocalDiscovery {
  /** Announces the torrent now and from then on, until it is removed. */
  add(infoHash: string, onPeer: (peer: Endpoint) => void): void
  remove(infoHash: string): void
  close(): Promise<void>
}

export interface LocalDiscoveryOptions {
  /** The TCP port that peers reach. */
  readonly port: number
  /** Loopback interfaces too: several agents on one machine. */
  readonly allowLoopback: boolean
  /** IPv4 addresses of the interfaces to speak on; undefined is all of them. */
  readonly interfaces?: readonly string[] | undefined
  readonly onWarning: (message: string) => void
}

const GROUP = '239.192.152.143'
const PORT = 6_771
/** BEP 14: every five minutes, and never more often than once a minute for the same torrent. */
const ANNOUNCE_EVERY_MS = 5 * 60_000
/** A datagram of about 1,200 bytes passes everywhere unsplit. */
const INFO_HASHES_PER_MESSAGE = 20

export const openLocalDiscovery = async (options: LocalDiscoveryOptions): Promise<LocalDiscovery> => {
  const { port, allowLoopback, onWarning } = options
  const cookie = randomBytes(8).toString('hex')
  const torrents = new Map<string, (peer: Endpoint) => void>()
  const socket = createSocket({ type: 'udp4', reuseAddr: true })
  const interfaces =
    options.interfaces ??
    Object.values(networkInterfaces())
      .flatMap((addresses) => addresses ?? [])
      .filter(({ family, internal }) => family === 'IPv4' && (allowLoopback || !internal))
      .map(({ address }) => address)

  const announce = (infoHashes: readonly string[]): void => {
    for (let at = 0; at < infoHashes.length; at += INFO_HASHES_PER_MESSAGE) {
      const message = formatAnnounce({ port, cookie, infoHashes: infoHashes.slice(at, at + INFO_HASHES_PER_MESSAGE) })
      for (const address of interfaces) {
        try {
          socket.setMulticastInterface(address)
          socket.send(message, PORT, GROUP, () => undefined) // Nobody may be there; the next announce comes.
        } catch (error) {
          onWarning(`local discovery on ${address}: ${(error as Error).message}`)
        }
      }
    }
  }

  socket.on('message', (bytes, { address }) => {
    const heard = parseAnnounce(bytes.toString('latin1', 0, 2_048))
    if (heard === undefined || heard.cookie === cookie) return
    for (const infoHash of heard.infoHashes) torrents.get(infoHash)?.({ host: address, port: heard.port })
  })
  const isBound = await new Promise<boolean>((resolve) => {
    socket.once('error', (error) => {
      onWarning(`local discovery is off: ${error.message}`)
      resolve(false)
    })
    socket.bind(PORT, () => resolve(true))
  })
  socket.removeAllListeners('error').on('error', (error) => onWarning(`local discovery: ${error.message}`))
  if (isBound) {
    for (const address of interfaces) {
      try {
        socket.addMembership(GROUP, address)
      } catch (error) {
        onWarning(`local discovery on ${address}: ${(error as Error).message}`)
      }
    }
  }
  const timer = setInterval(() => isBound && announce([...torrents.keys()]), ANNOUNCE_EVERY_MS).unref()

  return {
    add: (infoHash, onPeer) => {
      torrents.set(infoHash, onPeer)
      if (isBound) announce([infoHash])
    },
    remove: (infoHash) => void torrents.delete(infoHash),
    close: () => {
      clearInterval(timer)
      return new Promise((closed) => socket.close(() => closed()))
    },
  }
}

export interface LocalAnnounce {
  readonly port: number
  readonly infoHashes: readonly string[]
  readonly cookie: string | undefined
}

export const formatAnnounce = ({ port, infoHashes, cookie }: LocalAnnounce): string =>
  [
    'BT-SEARCH * HTTP/1.1',
    `Host: ${GROUP}:${PORT}`,
    `Port: ${port}`,
    ...infoHashes.map((infoHash) => `Infohash: ${infoHash}`),
    `cookie: ${cookie}`,
    '',
    '',
    '',
  ].join('\r\n')

/** Undefined for anything that is not an announce. */
export const parseAnnounce = (text: string): LocalAnnounce | undefined => {
  const [request, ...lines] = text.split('\r\n')
  if (request !== 'BT-SEARCH * HTTP/1.1') return undefined
  const headers = lines.flatMap((line) => {
    const match = /^([A-Za-z]+): (.*)$/.exec(line)
    return match === null ? [] : [[(match[1] ?? '').toLowerCase(), match[2] ?? ''] as const]
  })
  const valuesOf = (name: string) => headers.filter(([key]) => key === name).map(([, value]) => value)
  const port = Number(valuesOf('port')[0])
  const infoHashes = valuesOf('infohash').filter((value) => /^[0-9a-f]{40}$/i.test(value))
  if (!Number.isInteger(port) || port < 1 || port > 65_535 || infoHashes.length === 0) return undefined
  return { port, infoHashes: infoHashes.map((value) => value.toLowerCase()), cookie: valuesOf('cookie')[0] }
}
