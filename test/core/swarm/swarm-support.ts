// What the swarm's tests share: a small release on disk, swarms, trackers and web servers on loopback, all closed at the
// end of each test.
import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach } from '@jest/globals'
import { createMetainfo, type Metainfo } from '@updraft/core/swarm/metainfo'
import type { Swarm, SwarmOptions, TorrentOptions } from '@updraft/core/swarm/swarm'
import { openSwarm } from '@updraft/core/swarm/webtorrent-swarm'
import { Server as TrackerServer } from 'bittorrent-tracker'

const KIB = 1024
export const PIECE_LENGTH = 16 * KIB

const cleanups: (() => Promise<unknown> | unknown)[] = []

/** Runs at the end of the test, the latest first. */
export const atEnd = (cleanup: () => Promise<unknown> | unknown): void => void cleanups.push(cleanup)

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

export const temporaryFolder = async (): Promise<string> => {
  const folder = await mkdtemp(join(tmpdir(), 'updraft-swarm-'))
  atEnd(() => rm(folder, { recursive: true, force: true }))
  return folder
}

export interface Build {
  /** The files are at `<directory>/<name>/<path>`. */
  readonly directory: string
  readonly metainfo: Metainfo
  readonly index: Buffer
  readonly pack: Buffer
}

export interface BuildOptions {
  readonly packBytes?: number
  readonly pieceLength?: number
}

/** A bundle of random bytes: an index that is no multiple of anything, and a pack. */
export const makeBuild = async ({
  packBytes = 1024 * KIB,
  pieceLength = PIECE_LENGTH,
}: BuildOptions = {}): Promise<Build> => {
  const directory = await temporaryFolder()
  const name = 'acme_1.0.0_any'
  const [index, pack] = [randomBytes(5_000), randomBytes(packBytes)]
  await writeBundle(directory, name, { index, pack })
  const metainfo = await createMetainfo({
    name,
    files: [
      { path: 'index', file: join(directory, name, 'index') },
      { path: 'pack', file: join(directory, name, 'pack') },
    ],
    pieceLength,
    // Traps: the swarm must use neither.
    trackers: ['http://127.0.0.1:9/announce'],
    webSeeds: ['http://127.0.0.1:9/'],
  })
  return { directory, metainfo, index, pack }
}

export const writeBundle = async (
  directory: string,
  name: string,
  { index, pack }: { readonly index: Uint8Array; readonly pack: Uint8Array },
): Promise<void> => {
  await mkdir(join(directory, name), { recursive: true })
  await writeFile(join(directory, name, 'index'), index)
  await writeFile(join(directory, name, 'pack'), pack)
}

export const readBundle = async (directory: string, { name }: Metainfo) => ({
  index: await readFile(join(directory, name, 'index')),
  pack: await readFile(join(directory, name, 'pack')),
})

export const open = async (options: Partial<SwarmOptions> = {}): Promise<Swarm> => {
  const swarm = await openSwarm({ port: 0, allowLoopback: true, dht: false, localDiscovery: false, ...options })
  atEnd(() => swarm[Symbol.asyncDispose]())
  return swarm
}

/** Options that fetch everything into a fresh folder. */
export const fetching = async (
  { metainfo }: Build,
  options: Partial<TorrentOptions> = {},
): Promise<TorrentOptions & { readonly warnings: string[] }> => {
  const warnings: string[] = []
  return {
    metainfo,
    directory: await temporaryFolder(),
    have: 'check',
    trackers: [],
    webSeeds: [],
    onWarning: (message) => warnings.push(message),
    warnings,
    ...options,
  }
}

/** Options that share what is there. */
export const seeding = ({ metainfo, directory }: Build, options: Partial<TorrentOptions> = {}): TorrentOptions => ({
  metainfo,
  directory,
  have: 'all',
  trackers: [],
  webSeeds: [],
  ...options,
})

export const peerAt = (swarm: Swarm): string => `127.0.0.1:${swarm.port}`

export const STALL = { stallTimeoutMs: 20_000 }

/** Waits until `isTrue`, and fails the test if that takes too long. */
export const until = async (isTrue: () => boolean, what: string, timeoutMs = 50_000): Promise<void> => {
  const end = Date.now() + timeoutMs
  while (!isTrue()) {
    if (Date.now() > end) throw new Error(`waited ${timeoutMs} ms in vain: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

/** A real tracker that speaks HTTP, UDP and WebSocket. */
export const openTracker = async (): Promise<{
  readonly http: string
  readonly udp: string
  readonly ws: string
  readonly server: TrackerServer
}> => {
  const server = new TrackerServer({ http: true, udp: true, ws: true, stats: false, interval: 60_000 })
  server.on('warning', () => {})
  await new Promise<void>((listening) =>
    server.listen(0, { http: '127.0.0.1', udp: '127.0.0.1', udp6: '::1' }, listening),
  )
  atEnd(() => {
    server.http.closeAllConnections()
    return new Promise<void>((closed) => server.close(() => closed()))
  })
  const port = (socket: { address(): unknown }): number => (socket.address() as AddressInfo).port
  return {
    http: `http://127.0.0.1:${port(server.http)}/announce`,
    udp: `udp://127.0.0.1:${port(server.udp4)}`,
    ws: `ws://127.0.0.1:${port(server.http)}`,
    server,
  }
}

export type Handler = (request: IncomingMessage, response: ServerResponse) => void

export const openHttp = async (handler: Handler): Promise<string> => {
  const server = createServer(handler)
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  atEnd(() => {
    server.closeAllConnections()
    return new Promise((closed) => server.close(closed))
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
}

export interface WebServer {
  readonly url: string
  readonly requests: string[]
}

/** A web server for the files of a folder, with ranges. `spoil` may change what it sends, which is not before it is `due`. */
export const openWebSeed = async (
  directory: string,
  spoil: (bytes: Buffer, path: string, start: number) => Buffer = (bytes) => bytes,
  due: Promise<void> = Promise.resolve(),
): Promise<WebServer> => {
  const requests: string[] = []
  const url = await openHttp(async (request, response) => {
    const path = decodeURIComponent(new URL(request.url ?? '', 'http://x').pathname)
    requests.push(`${path} ${request.headers.range}`)
    const file = await readFile(join(directory, path)).catch(() => undefined)
    const range = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '')
    if (file === undefined || range === null) {
      response.writeHead(404).end()
      return
    }
    const [start, end] = [Number(range[1]), Math.min(Number(range[2]), file.length - 1)]
    response.writeHead(206, {
      'content-range': `bytes ${start}-${end}/${file.length}`,
      'content-length': end - start + 1,
    })
    const bytes = spoil(file.subarray(start, end + 1), path, start)
    await due
    if (bytes.length === end - start + 1) response.end(bytes)
    else response.write(bytes, () => response.destroy())
  })
  return { url, requests }
}
