// Types of the part of bittorrent-tracker's server that the tracker room uses; the package ships none.
declare module 'bittorrent-tracker/server' {
  import type { RemoteInfo, Socket as UdpSocket } from 'node:dgram'
  import type { EventEmitter } from 'node:events'
  import type { IncomingMessage, ServerResponse } from 'node:http'
  import type { Duplex } from 'node:stream'

  /** A connection of the `ws` package, with what the tracker hangs on it. */
  interface WebSocketConnection extends EventEmitter {
    readonly bufferedAmount: number
    /** Set by the tracker once it has let go of a closed connection. */
    readonly destroyed?: boolean
    ping(): void
    terminate(): void
  }

  interface WebSocketServer extends EventEmitter {
    handleUpgrade(
      request: IncomingMessage,
      socket: Duplex,
      head: Buffer,
      done: (connection: WebSocketConnection) => void,
    ): void
  }

  /** An announce as the package parsed it; what came from outside and is not checked there is `unknown`. */
  interface Announce {
    readonly type: 'http' | 'udp' | 'ws'
    readonly event?: unknown
    readonly peer_id: string
    readonly addr: string
    readonly ip: string
    readonly port: unknown
    readonly left: unknown
    readonly downloaded?: unknown
    readonly offers?: unknown
    readonly socket?: WebSocketConnection
  }

  interface Peer {
    readonly type: 'http' | 'udp' | 'ws'
    readonly complete: boolean
    readonly peerId: string
    readonly ip: string
    readonly port: number
    readonly socket?: WebSocketConnection
  }

  interface AnnounceAnswer {
    readonly complete: number
    readonly incomplete: number
    readonly interval?: number
    readonly peers: readonly Peer[]
  }

  type AnnounceCallback = (error: Error | null, answer?: AnnounceAnswer) => void

  interface PeerCache {
    readonly keys: readonly string[]
    readonly length: number
    maxAge: number
    /** Evicts the peer instead of returning it when it is too old. */
    peek(id: string): Peer | undefined
  }

  interface Swarm {
    readonly complete: number
    readonly incomplete: number
    readonly peers: PeerCache
    announce(announce: Announce, answer?: AnnounceCallback): void
  }

  interface ServerOptions {
    readonly http: false
    readonly udp: false
    readonly ws: { readonly noServer: true; readonly maxPayload: number }
    readonly stats: false
    /** In milliseconds. WebSocket clients are told a fifth of it. */
    readonly interval: number
    readonly peersCacheLength: number
    readonly filter: (infoHash: string, announce: Announce, done: (error: Error | null) => void) => void
  }

  class Server extends EventEmitter {
    static Swarm: new (
      infoHash: string,
      server: Server,
    ) => Swarm
    constructor(options: ServerOptions)
    readonly ws: WebSocketServer
    udp4: UdpSocket | null
    readonly torrents: Record<string, Swarm>
    createSwarm(infoHash: string, done: (error: null, swarm: Swarm) => void): void
    onHttpRequest(request: IncomingMessage, response: ServerResponse): void
    onUdpRequest(message: Buffer, from: RemoteInfo): void
    close(done: () => void): void
  }

  export {
    type Announce,
    type AnnounceAnswer,
    type AnnounceCallback,
    type Peer,
    // biome-ignore lint/style/noDefaultExport: it is how the package exports it.
    Server as default,
    type Swarm,
    type WebSocketConnection,
  }
}
