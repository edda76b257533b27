// What the victims of the attack tests speak to: a repository with real releases whose signed and unsigned parts can be
// bent, and a web server for it on loopback that can answer as badly as a test wants.
import { once } from 'node:events'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type WrittenBundle, writeBundle } from '@updraft/core/bundle/bundle'
import { type BundleIndex, encodeIndex } from '@updraft/core/bundle/index-file'
import { createMetainfo } from '@updraft/core/swarm/metainfo'
import { type Loose, type RepositorySimulator, sha256, targetOf } from '../support/repository-simulator.ts'

export interface ReleaseToForge {
  readonly product?: string
  readonly version?: string
  /** The build to pack. */
  readonly build: string
  /** A folder for index and pack while they are made. */
  readonly scratch: string
  /** Bends what is signed, after packing and before signing. */
  readonly bend?: (bundle: ForgedBundle) => ForgedBundle
  readonly webSeeds?: readonly string[]
  readonly trackers?: readonly string[]
}

export interface ForgedBundle {
  readonly index: BundleIndex
  /** Instead of the encoded `index`. */
  readonly indexBytes?: Buffer
  readonly pack: Buffer
}

/** Names of a release's files below the base URL. */
export interface ForgedRelease {
  readonly index: string
  readonly metainfo: string
  readonly servedIndex: string
  readonly servedPack: string
}

/** Adds a release with a real bundle to the product's role; it is signed with the next `publish`. */
export const forgeRelease = async (
  repository: RepositorySimulator,
  { product = 'acme', version = '1.0.0', build, scratch, bend = (bundle) => bundle, ...hints }: ReleaseToForge,
): Promise<ForgedRelease> => {
  const written = await writeBundle({ build, into: scratch, workers: 1 })
  const { index, indexBytes = encodeIndex(index), pack } = bend(await read(written))
  await writeFile(written.indexPath, indexBytes)
  await writeFile(written.packPath, pack)
  const name = `${product}_${version}_linux-x64`
  const metainfo = await createMetainfo({
    name,
    files: [
      { path: 'index', file: written.indexPath },
      { path: 'pack', file: written.packPath },
    ],
    pieceLength: PIECE_LENGTH,
    trackers: [],
    webSeeds: [],
  })
  await rm(scratch, { recursive: true })

  const path = `${product}/${version}/linux-x64`
  const { webSeeds = ['bundles/'], trackers = [] } = hints
  const change = (custom: Loose): void => {
    Object.assign(custom.torrent, { btih: metainfo.infoHash, pieceLength: PIECE_LENGTH, webSeeds, trackers })
    custom.sizes = { ...written.sizes, indexBytes: indexBytes.length, packBytes: pack.length }
  }
  repository.addRelease(product, version, change)
  const { targets } = repository.signed[product] ?? {}
  Object.assign(targets[`${path}.index`], targetOf(indexBytes))
  Object.assign(targets[`${path}.torrent`], targetOf(Buffer.from(metainfo.bytes)))
  const release = {
    index: `targets/${product}/${version}/${sha256(indexBytes)}.linux-x64.index`,
    metainfo: `targets/${product}/${version}/${sha256(metainfo.bytes)}.linux-x64.torrent`,
    servedIndex: `bundles/${name}/index`,
    servedPack: `bundles/${name}/pack`,
  }
  repository.files.set(release.index, indexBytes)
  repository.files.set(release.metainfo, Buffer.from(metainfo.bytes))
  repository.files.set(release.servedIndex, indexBytes)
  repository.files.set(release.servedPack, pack)
  return release
}

const PIECE_LENGTH = 16_384

const read = async ({ index, packPath }: WrittenBundle): Promise<ForgedBundle> => ({
  index,
  pack: await readFile(packPath),
})

/** Answers a request itself, and says true; or leaves it to the repository. `path` is below the base URL. */
export type Hijack = (path: string, request: IncomingMessage, response: ServerResponse) => boolean

export interface HostileOrigin extends AsyncDisposable {
  /** Base URL, ends with a slash. */
  readonly url: string
  /** Paths that were asked for. */
  readonly requests: readonly string[]
  hijack: Hijack
  /** Where its files come from. */
  files: ReadonlyMap<string, Buffer>
}

/** Serves files with ranges, as a web seed has to. */
export const serveHostile = async (files: ReadonlyMap<string, Buffer>): Promise<HostileOrigin> => {
  const requests: string[] = []
  const server = createServer((request, response) => {
    const path = (request.url ?? '/').slice(1)
    requests.push(path)
    response.on('error', () => {}) // A victim that hangs up is what these tests want.
    if (!origin.hijack(path, request, response)) answer(origin.files.get(path), request, response)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const origin: HostileOrigin = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    requests,
    hijack: () => false,
    files,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
  return origin
}

const answer = (bytes: Buffer | undefined, { headers }: IncomingMessage, response: ServerResponse): void => {
  const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(headers.range ?? '') ?? []
  if (bytes === undefined) response.writeHead(404).end()
  else if (from === undefined) response.writeHead(200, { 'content-length': bytes.length }).end(bytes)
  else {
    const part = bytes.subarray(Number(from), Number(to) + 1)
    response.writeHead(206, { 'content-range': `bytes ${from}-${to}/${bytes.length}` }).end(part)
  }
}

/** Sends blanks without an end, as fast as they are taken; `count` says how many bytes left. */
export const sendEndlessly = (response: ServerResponse, count: (bytes: number) => void): void => {
  const part = Buffer.alloc(64 * 1024, 0x20)
  const send = (): void => {
    while (!response.destroyed) {
      count(part.length)
      if (!response.write(part)) return
    }
  }
  response.writeHead(200).on('drain', send)
  send()
}

/** Sends one byte, and then another one every `everyMs`, until the other end has gone. */
export const drip = (response: ServerResponse, everyMs: number, head: Readonly<Record<string, string>> = {}): void => {
  response.writeHead(Object.keys(head).length === 0 ? 200 : 206, head).write('{')
  const timer = setInterval(() => response.write(' '), everyMs)
  response.on('close', () => clearInterval(timer))
}
