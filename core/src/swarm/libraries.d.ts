// biome-ignore-all lint/style/noDefaultExport: these libraries export that way.
// Types of the untyped BitTorrent libraries, reduced to what the swarm and its tests use of them. Names with an
// underscore are internals of the pinned versions: each use says why there is no other way.

declare module 'bencode' {
  const bencode: {
    encode(value: unknown): Uint8Array
    decode(bytes: Uint8Array): unknown
  }

  export { bencode as default }
}

/** bittorrent-protocol 5.0.9: one connection in BitTorrent's words. */
declare module 'bittorrent-protocol' {
  import type { EventEmitter } from 'node:events'

  export interface Request {
    readonly piece: number
    readonly offset: number
    readonly length: number
  }

  export type BlockCallback = (error: Error | null, block?: Uint8Array) => void

  class Wire extends EventEmitter {
    constructor(type?: string, encryption?: number)
    readonly type: string
    readonly destroyed: boolean
    readonly peerId: string | null
    readonly hasFast: boolean
    readonly amChoking: boolean
    readonly amInterested: boolean
    readonly peerChoking: boolean
    readonly peerInterested: boolean
    readonly peerPieces: { readonly buffer: Uint8Array; get(index: number): boolean }
    readonly requests: readonly Request[]
    readonly peerRequests: readonly Request[]
    readonly extendedHandshake: Record<string, unknown>
    /** Names of our extensions by the numbers that peers use for them. */
    readonly extendedMapping: Readonly<Record<number, string>>
    /** The numbers that the peer uses for the extensions that it knows. */
    readonly peerExtendedMapping: Readonly<Record<string, number>>
    readonly peerExtendedHandshake: Readonly<Record<string, unknown>>
    readonly lt_donthave?: EventEmitter
    readonly ut_pex?: UtPex

    handshake(infoHash: string, peerId: string, extensions?: { readonly fast?: boolean; readonly dht?: boolean }): void
    choke(): void
    unchoke(): void
    interested(): void
    uninterested(): void
    have(index: number): void
    haveAll(): void
    haveNone(): void
    suggest(index: number): void
    bitfield(bits: Uint8Array): void
    request(index: number, offset: number, length: number, done: BlockCallback): void
    cancel(index: number, offset: number, length: number): void
    piece(index: number, offset: number, block: Uint8Array): void
    extended(name: string | number, message: unknown): void
    use(extension: ((wire: Wire) => unknown) | (new () => unknown)): void
    setTimeout(ms: number): void
    setKeepAlive(on: boolean): void
    destroy(): void

    pipe<T>(destination: T): T
    readonly _finished: boolean
    _push(bytes: Uint8Array): unknown
    _debug(...parts: unknown[]): void
    _onHandshakeBuffer(handshake: Uint8Array): void
    _onKeepAlive(): void
    _onMessage(message: Uint8Array): void
    _onPiece(index: number, offset: number, block: Uint8Array): void
    _pull(requests: readonly Request[], index: number, offset: number, length: number): Request | null
    _callback(request: Request | null, error: Error | null, block?: Uint8Array): void
  }

  export interface UtPex extends EventEmitter {
    start(): void
    addPeer(address: string): void
    addPeer6(address: string): void
    dropPeer(address: string): void
    dropPeer6(address: string): void
    _sendMessage(): void
  }

  export { Wire as default }
}

/** simple-peer 10.1.2: a WebRTC data channel as a stream. */
declare module '@thaunknown/simple-peer/lite.js' {
  import type { Duplex } from 'node:stream'

  export interface PeerOptions {
    readonly initiator: boolean
    readonly trickle: boolean
    readonly iceCompleteTimeout: number
    readonly config: { readonly iceServers: readonly { readonly urls: string }[] }
  }

  class SimplePeer extends Duplex {
    constructor(options: PeerOptions)
    readonly connected: boolean
    _onIceCandidate(event: { readonly candidate: null }): void
    signal(description: { readonly type: string; readonly sdp: string }): void
  }

  export { SimplePeer as default }
}

/** ws 8.23.0, the client, reduced to what the swarm uses of it. */
declare module 'ws' {
  import type { EventEmitter } from 'node:events'
  import type { IncomingMessage } from 'node:http'
  import type { LookupFunction } from 'node:net'

  export interface ClientOptions {
    readonly lookup: LookupFunction
    readonly handshakeTimeout: number
    readonly maxPayload: number
    readonly followRedirects: boolean
    readonly perMessageDeflate: boolean
    readonly headers: Readonly<Record<string, string>>
  }

  export class WebSocket extends EventEmitter {
    constructor(url: string, options: ClientOptions)
    readonly bufferedAmount: number
    send(text: string): void
    terminate(): void
    on(event: 'open' | 'close', listener: () => void): this
    on(event: 'error', listener: (error: Error) => void): this
    on(event: 'message', listener: (data: Buffer) => void): this
    on(event: 'upgrade', listener: (response: IncomingMessage) => void): this
    close(): void
  }

  /** For tests. */
  export class WebSocketServer extends EventEmitter {
    constructor(options: { readonly host: string; readonly port: number })
    readonly clients: ReadonlySet<WebSocket>
    address(): unknown
    close(closed: () => void): void
    on(event: 'connection', listener: (socket: WebSocket) => void): this
  }
}

/** webtorrent 3.0.21 */
declare module 'webtorrent' {
  import type { Socket as DatagramSocket } from 'node:dgram'
  import type { EventEmitter } from 'node:events'
  import type { Server, Socket } from 'node:net'
  import type Wire from 'bittorrent-protocol'
  import type Peer from 'webtorrent/lib/peer.js'

  export interface ClientOptions {
    readonly torrentPort: number
    readonly peerId: string
    readonly userAgent: string
    readonly maxConns: number
    readonly dht:
      | false
      | {
          readonly socket: DatagramSocket
          /** `host:port`; undefined takes the public ones, an empty list none. */
          readonly bootstrap?: readonly string[] | undefined
          readonly verify: (signature: Uint8Array, bytes: Uint8Array, publicKey: Uint8Array) => boolean
        }
    readonly tracker: false
    readonly lsd: false
    readonly utPex: boolean
    readonly natUpnp: boolean
    readonly natPmp: boolean
    readonly utp: boolean
    readonly webSeeds: boolean
    readonly secure: 0
  }

  export interface AddOptions {
    readonly preloadedStore: unknown
    readonly storeCacheSlots: number
    readonly skipVerify: boolean
    readonly deselect: boolean
    readonly strategy: 'rarest'
  }

  export interface Torrent extends EventEmitter {
    readonly infoHash: string
    readonly destroyed: boolean
    readonly client: WebTorrent
    readonly wires: readonly Wire[]
    readonly _peers: ReadonlyMap<string, Peer>
    readonly _queue: Peer[]
    readonly _numConns: number
    _numPending: number
    discovery: { complete(): void; destroy(done: () => void): void; readonly tracker: null } | null
    destroy(done: (error?: Error) => void): void
    addPeer(address: string, source?: string): boolean
    removePeer(peer: Peer | string): void

    info: unknown
    infoBuffer: unknown
    torrentFile: unknown
    pieces: unknown[]
    _hashes: unknown[]
    _reservations: unknown[]
    _rarityMap: { destroy(): void }
    _startDiscovery(): void
    _addPeer(peer: string | { readonly id: string; destroy(): void }, type: string, source?: string): Peer | null
    _addIncomingPeer(peer: Peer): void
    _registerPeer(peer: Peer): void
    _drain(): void
    _onWireWithMetadata(wire: Wire): void
    _rechoke(): void
    _update(): void
    _updateSelections(): void
  }

  /** bittorrent-dht 11.0.12 */
  export interface Dht extends EventEmitter {
    get(
      key: Uint8Array,
      options: { readonly salt: Uint8Array; readonly cache: boolean },
      done: (error: Error | null, found: MutableAnswer | null) => void,
    ): void
    put(
      item: {
        readonly k: Uint8Array
        readonly salt: Uint8Array
        readonly seq: number
        readonly v: unknown
        readonly sig: Uint8Array
      },
      done: (error: Error | null, key?: Uint8Array, stored?: number) => void,
    ): void
    announce(infoHash: string, port: number, done: (error?: Error | null) => void): void
    lookup(infoHash: string, done: (error?: Error | null) => void): unknown
  }

  export interface MutableAnswer {
    readonly v?: unknown
    readonly seq?: number
    readonly sig?: Uint8Array
  }

  class WebTorrent extends EventEmitter {
    constructor(options: ClientOptions)
    readonly peerId: string
    readonly torrentPort: number
    readonly destroyed: boolean
    readonly throttleGroups: unknown
    readonly dht: Dht | false | null
    readonly maxConns: number
    readonly _connPool: { readonly tcpServer: Server; _onConnection(connection: Socket, type: string): void } | null
    add(metainfo: Uint8Array, options: AddOptions): Torrent
    destroy(done: (error?: Error) => void): void
  }

  export { WebTorrent as default }
}

declare module 'webtorrent/lib/peer.js' {
  import type { EventEmitter } from 'node:events'
  import type { Socket } from 'node:net'
  import type Wire from 'bittorrent-protocol'
  import type { Torrent } from 'webtorrent'

  class Peer extends EventEmitter {
    constructor(id: string, type: string, encryption: number)
    readonly id: string
    readonly type: string
    readonly connected: boolean
    readonly destroyed: boolean
    addr: string | null
    conn: Socket | null
    wire: Wire | null
    swarm: Torrent | null
    throttleGroups: unknown
    retries: number
    readonly source: string | undefined
    onConnect(): void
    startConnectTimeout(): void
    onHandshake(infoHash: string, peerId: string): void
    setThrottlePipes(): void
    destroy(error?: Error): void
  }

  export { Peer as default }
}

/** bittorrent-dht 11.0.12: tests run nodes of their own. */
declare module 'bittorrent-dht' {
  import type { Socket } from 'node:dgram'
  import type { EventEmitter } from 'node:events'

  export class Client extends EventEmitter {
    constructor(options: {
      readonly bootstrap: false | readonly string[]
      readonly socket?: Socket
      readonly verify: (signature: Uint8Array, bytes: Uint8Array, publicKey: Uint8Array) => boolean
    })
    listen(port: number, address: string, done: () => void): void
    address(): { readonly port: number }
    destroy(done: () => void): void
  }
}

/** bittorrent-tracker 11.2.3: the swarm's tests run its server. */
declare module 'bittorrent-tracker' {
  import type { EventEmitter } from 'node:events'

  export class Server extends EventEmitter {
    constructor(options: { http: boolean; udp: boolean; ws: boolean; stats: boolean; interval: number })
    readonly http: { address(): unknown; closeAllConnections(): void }
    readonly udp4: { address(): unknown }
    readonly torrents: Readonly<Record<string, { readonly complete: number; readonly incomplete: number }>>
    listen(port: number, hosts: { http: string; udp: string; udp6: string }, done: () => void): void
    close(done: () => void): void
  }
}
