// One torrent of the swarm, put together: files, download, upload, peers, trackers and web seeds, and what its owner is
// told about it.

import type WebTorrent from 'webtorrent'
import type { Torrent } from 'webtorrent'
import { fromFileSystem, UpdateError } from '../errors.ts'
import { createAnnouncer } from './announce/announcer.ts'
import type { LocalDiscovery } from './announce/local-discovery.ts'
import { createTrackers } from './announce/trackers.ts'
import type { Bandwidth } from './bandwidth.ts'
import { type Completion, createCompletion } from './completion.ts'
import { createExchange, isOrigin } from './exchange.ts'
import { type Endpoint, formatEndpoint } from './peers/addresses.ts'
import { bansFor } from './peers/bans.ts'
import { admitConnection, type Gate } from './peers/connections.ts'
import { createDownload, type Download } from './peers/download.ts'
import type { Link } from './peers/link.ts'
import type { Nearness } from './peers/nearness.ts'
import { createStaticPeers } from './peers/static-peers.ts'
import { createUpload } from './peers/upload.ts'
import { allBits, countBits, hasBit, isBitfieldFor, setBit } from './pieces/bits.ts'
import { geometryOf } from './pieces/geometry.ts'
import { openPieceFiles, type PieceFiles } from './pieces/piece-files.ts'
import { createProofs } from './pieces/proofs.ts'
import type { SlabReader } from './pieces/slab-reader.ts'
import { checkPieces, isPiece } from './pieces/verify.ts'
import { createWaiting } from './pieces/waiting.ts'
import { createPresence, type Presence } from './presence.ts'
import type { SwarmTorrent, TorrentOptions, TransferState } from './swarm.ts'
import type { GuardedHttp } from './web/guarded-http.ts'
import { createWebSeeds } from './web/web-seeds.ts'
import type { WebRtcConnection } from './webrtc/connection.ts'
import type { Rendezvous } from './webrtc/rendezvous.ts'

/** What all torrents of a swarm share. */
export interface SwarmParts {
  readonly client: WebTorrent
  readonly gate: Gate
  readonly http: GuardedHttp
  readonly slabs: SlabReader
  readonly bandwidth: Bandwidth
  readonly random: () => number
  readonly now: () => number
  readonly nearness: Nearness
  readonly webSeedDelayMs: number
  readonly deadlineMs: number | undefined
  /** By info hash, those that take peers; one that rests has to come back first. */
  readonly torrents: Map<string, () => Torrent | Promise<Torrent>>
  /** Undefined unless it was asked for. */
  readonly localDiscovery: LocalDiscovery | undefined
  /** Told of machines that run Updraft, wherever they are met. */
  readonly onMachine: (endpoint: string) => void
  readonly rendezvous: Rendezvous | undefined
}

export interface JoinedTorrent extends SwarmTorrent {
  /** Closes files that nobody uses, and rests if nobody uses the torrent. */
  closeIdle(): Promise<void>
  /** Whom to send to has changed. */
  rechoke(): void
  /** The swarm as a whole failed. */
  fail(error: unknown): void
  warn(message: string): void
}

const TICK_MS = 1_000

/** Errors: DISK_FULL, IO, PERMISSION, STATE_DAMAGED if a bit field does not fit. */
export const joinTorrent = async (
  options: TorrentOptions,
  parts: SwarmParts,
  onRemoved: (removal: Promise<void>) => void,
): Promise<JoinedTorrent> => {
  const { metainfo } = options
  const { client, gate, http, slabs, bandwidth, random, now, nearness } = parts
  const onWarning = options.onWarning ?? (() => {})
  const geometry = geometryOf(metainfo)
  const { directory, stored, have } = options
  const isBelieved = have === 'believed'
  const files = await openPieceFiles({
    metainfo,
    directory,
    stored,
    writable: have !== 'all' && !isBelieved,
    isPrepared: isBelieved,
  })
  const bits = await bitsOf(options, files)
  const proofs = isBelieved ? createProofs(metainfo, files, options.onDamaged ?? (() => {})) : undefined
  const bytesOf = (held: Uint8Array): number => {
    let sum = countBits(held) * metainfo.pieceLength
    const last = geometry.pieces - 1
    if (hasBit(held, last)) sum -= metainfo.pieceLength - geometry.pieceLengthOf(last)
    return sum
  }
  const reusedBytes = bytesOf(bits)
  let haveBytes = reusedBytes
  const isDone = (): boolean => haveBytes === metainfo.lengthBytes
  const completion: Completion = createCompletion({ now, describe: () => describeLack() })

  const waiting = createWaiting(metainfo, (index) => hasBit(bits, index))

  const slabSource = { pieceLengthOf: geometry.pieceLengthOf, read: files.read }
  const upload = createUpload({
    geometry,
    has: (index) => hasBit(bits, index),
    read: async (index, offset, length) => {
      await proofs?.prove(index)
      return slabs.read(slabSource, index, offset, length)
    },
    isFirstCopy: (link, index) => presence.exchange?.isFirstCopy(link, index) === true,
    bandwidth,
    hasRoom: (link) => presence.exchange?.hasRoom(link) !== false,
    onSent: (link, bytes) => presence.exchange?.sent(link, bytes),
    random,
    now,
  })
  const download: Download | undefined = isDone()
    ? undefined
    : createDownload({
        geometry,
        has: (index) => hasBit(bits, index),
        isPiece: (index, bytes) => isPiece(metainfo, index, bytes),
        write: files.write,
        limiterOf: bandwidth.down.of,
        random,
        now,
        ownId: client.peerId,
        onPiece: (index) => {
          setBit(bits, index)
          haveBytes += geometry.pieceLengthOf(index)
          completion.progress('piece')
          waiting.arrived(index)
          presence.exchange?.announce(index)
          if (isDone()) finish()
        },
        onUseful: () => completion.progress('block'),
        onBadPiece: (index, senders) => {
          completion.setback()
          onWarning(`piece ${index} is not what was published; sent by ${senders.map(({ name }) => name).join(', ')}`)
        },
        onGuilty: (source, index) => {
          onWarning(`${source.name} sent bad data for piece ${index} and is banned`)
          presence.exchange?.ban(source, `bad data for piece ${index} of ${metainfo.infoHash}`)
          webSeeds?.removeBanned()
        },
        onFailed: (error) => fail(error),
      })

  const presence: Presence = createPresence({
    client,
    gate,
    metainfo,
    isDone,
    onWarning,
    onError: (error) => fail(error),
    createExchange: (torrent) =>
      createExchange({
        torrent,
        pieces: geometry.pieces,
        pieceLength: metainfo.pieceLength,
        random,
        bits,
        isDone,
        port: client.torrentPort,
        bans: bansFor(gate.bans, metainfo.name),
        ourselves: gate.ourselves,
        download,
        upload,
        bandwidth,
        isNear: nearness.isNear,
        now,
        onMachine: parts.onMachine,
        onLonely: () => {
          if (!isDone()) announcer.hurry()
        },
      }),
  })
  const linkCount = (): number => presence.exchange?.links.size ?? 0
  if (!isDone() || client.dht) await presence.enter()
  parts.torrents.set(metainfo.infoHash, presence.enter)
  const addPeer = (source: string) => (peer: Endpoint) => {
    const endpoint = formatEndpoint(peer)
    if (gate.ourselves.isOurs(endpoint)) return // Who rests is not woken for that.
    const add = (torrent: Torrent): void => void (torrent.destroyed || torrent.addPeer(endpoint, source))
    const torrent = presence.enter()
    if (torrent instanceof Promise) torrent.then(add, fail)
    else add(torrent)
  }
  const addConnection = (connection: WebRtcConnection): void => {
    const admit = (torrent: Torrent): void => admitConnection(client, torrent, connection, gate)
    const torrent = presence.enter()
    if (torrent instanceof Promise) torrent.then(admit, (error: Error) => connection.destroy(error))
    else admit(torrent)
  }
  parts.localDiscovery?.add(metainfo.infoHash, (peer) => {
    nearness.heard(peer.host)
    addPeer('lsd')(peer)
  })
  const staticPeers = createStaticPeers({
    peers: options.peers ?? [],
    policy: gate.policy,
    onPeer: addPeer('manual'),
    onWarning,
  })
  const announcer = createAnnouncer({
    trackers: createTrackers(options.trackers, {
      identity: { infoHash: metainfo.infoHash, peerId: client.peerId, port: client.torrentPort },
      policy: gate.policy,
      http,
      webRtc: parts.rendezvous && { rendezvous: parts.rendezvous, onConnection: addConnection },
      onWarning,
    }),
    counts: () => ({
      uploadedBytes: upload.uploadedBytes,
      downloadedBytes: haveBytes - reusedBytes,
      leftBytes: metainfo.lengthBytes - haveBytes,
    }),
    isAlone: () => !isDone() && linkCount() === 0,
    onPeer: addPeer('tracker'),
    onWarning,
  })
  const webSeeds =
    download &&
    createWebSeeds({
      urls: options.webSeeds,
      metainfo,
      download,
      http,
      bans: bansFor(gate.bans, metainfo.name),
      limiter: bandwidth.down.outside,
      now,
      facts: () => ({
        delayMs: parts.webSeedDelayMs,
        deadlineMs: parts.deadlineMs,
        isLookingForPeers: !announcer.isSettled || !staticPeers.isSettled || presence.knownPeers > 0,
        connectedPeers: linkCount(),
        peerBytesPerSecond: download.peerBytesPerSecond,
        missingBytes: metainfo.lengthBytes - haveBytes,
      }),
      onFallback: options.onFallback ?? (() => {}),
      onWarning,
    })
  const tick = setInterval(() => {
    download?.tick()
    webSeeds?.wake()
  }, TICK_MS)
  const stopFetching = (): void => {
    clearInterval(tick)
    staticPeers.close()
    webSeeds?.close()
    download?.close()
  }

  const finish = (): void => {
    stopFetching()
    announcer.complete()
    files.sync().then(
      () => completion.done(),
      (error: unknown) => completion.fail(error),
    )
  }

  const fail = (error: unknown): void => {
    stopFetching()
    const reason = fromFileSystem(error, 'the swarm failed')
    completion.fail(reason)
    waiting.fail(reason)
  }

  const describeLack = (): string => {
    const missing = metainfo.lengthBytes - haveBytes
    return `${missing} of ${metainfo.lengthBytes} bytes missing, ${linkCount()} peers, ${webSeeds?.count ?? 0} web seeds`
  }

  /** A tracker counts this machine as well, once it has everything. */
  const otherCopies = (): number => {
    const told = Math.max(0, (announcer.seeders ?? 0) - Number(isDone()))
    const { origins, seeds } = kindsOf(presence.exchange?.links ?? new Set())
    return Math.max(told, origins + seeds)
  }

  webSeeds?.wake()
  if (isDone()) {
    stopFetching()
    completion.done()
    await files.closeAll()
  }

  let removal: Promise<void> | undefined
  const remove = async (): Promise<void> => {
    parts.torrents.delete(metainfo.infoHash)
    parts.localDiscovery?.remove(metainfo.infoHash)
    stopFetching()
    const reason = new UpdateError('ABORTED', `${metainfo.name} was removed from the swarm`)
    completion.fail(reason)
    waiting.fail(reason)
    slabs.drop(slabSource)
    await Promise.all([announcer.close(), presence.close()])
    await files.close()
  }

  return {
    infoHash: metainfo.infoHash,
    state: () => ({
      done: completion.isDone,
      haveBytes,
      totalBytes: metainfo.lengthBytes,
      bytes: {
        peers: presence.receivedBytes.peers,
        origin: presence.receivedBytes.origin + (webSeeds?.receivedBytes ?? 0),
        reused: reusedBytes,
      },
      uploadedBytes: upload.uploadedBytes,
      peers: linkCount(),
      ...kindsOf(presence.exchange?.links ?? new Set()),
      webSeeds: webSeeds?.count ?? 0,
      fallback: webSeeds?.reason,
      otherCopies: otherCopies(),
    }),
    whenDone: completion.whenDone,
    whenHave: waiting.whenHave,
    closeIdle: () => {
      presence.rest()
      return files.closeIdle()
    },
    rechoke: upload.rechoke,
    fail,
    warn: onWarning,
    remove: () => {
      if (removal === undefined) {
        removal = remove()
        onRemoved(removal)
      }
      return removal
    },
  }
}

const kindsOf = (links: ReadonlySet<Link>): Pick<TransferState, 'origins' | 'seeds'> => {
  const all = [...links]
  return {
    origins: all.filter(isOrigin).length,
    seeds: all.filter((link) => link.isSeed && !isOrigin(link)).length,
  }
}

const bitsOf = async ({ have, metainfo }: TorrentOptions, files: PieceFiles): Promise<Uint8Array> => {
  const { pieces } = geometryOf(metainfo)
  if (have === 'all' || have === 'believed') return allBits(pieces)
  if (have === 'check') return checkPieces(metainfo, files)
  if (isBitfieldFor(have, pieces)) return Uint8Array.from(have)
  await files.close()
  throw new UpdateError('STATE_DAMAGED', `bit field of ${have.length} bytes does not fit ${pieces} pieces`)
}
