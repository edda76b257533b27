// BitTorrent metainfo (BEP 3): made by the publisher, parsed by agents as hostile input. Version 1, multiple files, and
// nothing else: what we never write we never accept. Says nothing about who made it; that is the signature's part.
import { createHash } from 'node:crypto'
import { UpdateError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import type { ProgressListener } from '../progress.ts'
import {
  type BencodeDictionary,
  type BencodeValue,
  decodeBencode,
  type Encodable,
  encodeBencode,
  isDictionary,
  textOf,
} from './bencode.ts'
import { hashPieces, PIECE_HASH_BYTES } from './piece-hashes.ts'

export interface MetainfoFile {
  /** Path below the torrent's name, `/` between parts. */
  readonly path: string
  readonly lengthBytes: number
}

export interface Metainfo {
  /** SHA-1 of the bencoded info dictionary, 40 hex digits in lower case. */
  readonly infoHash: string
  readonly name: string
  readonly files: readonly MetainfoFile[]
  readonly lengthBytes: number
  readonly pieceLength: number
  /** SHA-1 of each piece, 20 bytes each, one after the other. */
  readonly pieceHashes: Uint8Array
  readonly trackers: readonly string[]
  readonly webSeeds: readonly string[]
  /** The whole file as it was parsed. */
  readonly bytes: Uint8Array
}

/** Enough pieces that many peers can exchange different ones; fewer would leave the last of them waiting for one. */
const PIECES_WANTED = 512
/**
 * Spreads fastest in a swarm of 8 to 16 agents: 64 MiB took 1.086 times the bound, and with 128 KiB 1.099 (`npm run bench:swarm --
 * --only updraft --runs 3 --piece-length 64`, at all three speeds alike); 1 MiB took twice the time.
 */
const PIECE_LENGTH_BEST = 64 * 1024
/** A piece costs 20 bytes of metainfo, which every update fetches: of more, 40 KiB are too much beside a small update. */
const PIECES_BEST_MAX = 2_048
/** Hardly slower, and half the metainfo. */
const PIECE_LENGTH_GOOD = 128 * 1024
/** Keeps the metainfo below 330 KiB and every per-piece table small. */
const PIECES_MAX = 16_384

/** Piece length for `totalBytes`: a power of two, from 16 KiB for the smallest on. */
export const pieceLengthFor = (totalBytes: number): number => {
  let pieceLength: number = LIMITS.pieceLengthMinBytes
  const growTo = (lengthMax: number, piecesMax: number): void => {
    while (pieceLength < lengthMax && totalBytes / pieceLength > piecesMax) pieceLength *= 2
  }
  growTo(PIECE_LENGTH_BEST, PIECES_WANTED)
  growTo(PIECE_LENGTH_GOOD, PIECES_BEST_MAX)
  growTo(LIMITS.pieceLengthMaxBytes, PIECES_MAX)
  return pieceLength
}

export interface CreateMetainfoOptions {
  /** Folder that the files are in, wherever the torrent is. */
  readonly name: string
  /** `path` as it shall stand in the torrent, `file` as it is on disk. */
  readonly files: readonly { readonly path: string; readonly file: string }[]
  readonly pieceLength: number
  readonly trackers: readonly string[]
  readonly webSeeds: readonly string[]
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: ProgressListener | undefined
}

/**
 * Hashes the files into metainfo. The same input gives the same bytes: there is no date and no program name in them.
 *
 * Shape:  a torrent of several files, also if there is only one, so that a web seed's URL is `<base><name>/<path>`.
 * Errors: METAINFO_INVALID and LIMIT_EXCEEDED for names and lengths that `parseMetainfo` would refuse, BUILD_CHANGED if
 *         a file grows or shrinks meanwhile, IO, PERMISSION, ABORTED.
 * Source: BEP 3, BEP 12 (several trackers), BEP 19 (web seeds).
 */
export const createMetainfo = async (options: CreateMetainfoOptions): Promise<Metainfo> => {
  const { name, files, pieceLength, trackers, webSeeds } = options
  const { lengths, pieceHashes } = await hashPieces(options)
  const [announce] = trackers
  return parseMetainfo(
    encodeBencode({
      ...(announce === undefined ? {} : { announce }),
      ...(trackers.length > 1 ? { 'announce-list': trackers.map((tracker) => [tracker]) } : {}),
      ...(webSeeds.length > 0 ? { 'url-list': webSeeds } : {}),
      info: {
        name,
        files: files.map(({ path }, index): Encodable => ({ path: path.split('/'), length: lengths[index] ?? 0 })),
        'piece length': pieceLength,
        pieces: pieceHashes,
      },
    }),
  )
}

/**
 * Parses metainfo from anywhere. The info hash is computed over the info dictionary exactly as it stands in `bytes`.
 *
 * Errors: METAINFO_INVALID with what was wrong, LIMIT_EXCEEDED.
 * Source: BEP 3; BEP 52 (`meta version`, refused).
 */
export const parseMetainfo = (bytes: Uint8Array): Metainfo => {
  within('metainfo bytes', bytes.length, LIMITS.metainfoLengthBytes)
  const root = dictionaryOf(decoded(bytes), 'metainfo')
  const info = dictionaryOf(root.entries.get('info'), 'info')
  const unknown = [...info.entries.keys()].filter((key) => !INFO_KEYS.has(key))
  if (unknown.length > 0) throw invalid(`info has ${unknown.map((key) => JSON.stringify(key)).join(', ')}`)

  const files = filesOf(info.entries.get('files'))
  const lengthBytes = files.reduce((sum, file) => sum + file.lengthBytes, 0)
  if (lengthBytes === 0) throw invalid('no bytes in any file')
  within('bytes in all files', lengthBytes, LIMITS.installedLengthBytes)

  const pieceLength = pieceLengthOf(info.entries.get('piece length'))
  const pieceHashes = info.entries.get('pieces')
  if (!(pieceHashes instanceof Uint8Array)) throw invalid('pieces is not a byte string')
  const piecesExpected = Math.ceil(lengthBytes / pieceLength)
  if (pieceHashes.length !== piecesExpected * PIECE_HASH_BYTES) {
    throw invalid(`${pieceHashes.length} bytes of piece hashes for ${piecesExpected} pieces`)
  }
  return {
    infoHash: createHash('sha1').update(info.bytes).digest('hex'),
    name: pathPartOf(info.entries.get('name'), 'name'),
    files,
    lengthBytes,
    pieceLength,
    pieceHashes,
    trackers: trackersOf(root),
    webSeeds: webSeedsOf(root),
    bytes,
  }
}

/** The info dictionary exactly as it stands in the metainfo: what peers hand to each other (BEP 9). */
export const infoBytesOf = ({ bytes }: Metainfo): Uint8Array =>
  dictionaryOf(dictionaryOf(decoded(bytes), 'metainfo').entries.get('info'), 'info').bytes

const INFO_KEYS = new Set(['files', 'name', 'piece length', 'pieces'])
const FILE_KEYS = 'length,path'

const decoded = (bytes: Uint8Array): BencodeValue => {
  try {
    return decodeBencode(bytes)
  } catch (error) {
    throw new UpdateError('METAINFO_INVALID', `metainfo is not bencoded: ${(error as Error).message}`, { cause: error })
  }
}

const filesOf = (value: BencodeValue | undefined): readonly MetainfoFile[] => {
  const list = listOf(value, 'files')
  if (list.length === 0) throw invalid('no files')
  within('files', list.length, LIMITS.torrentFilesMax)
  const files = list.map(fileOf)

  // Paths that differ only in case or in Unicode form are one file on some disks; a file cannot be a folder as well.
  const seen = new Set<string>()
  for (const { path } of files) {
    const folded = path.normalize('NFC').toLowerCase()
    if (seen.has(folded)) throw invalid(`path ${JSON.stringify(path)} twice`)
    seen.add(folded)
  }
  for (const folded of seen) {
    for (let slash = folded.indexOf('/'); slash !== -1; slash = folded.indexOf('/', slash + 1)) {
      if (seen.has(folded.slice(0, slash))) throw invalid(`path ${JSON.stringify(folded)} is below a file`)
    }
  }
  return files
}

const fileOf = (value: BencodeValue): MetainfoFile => {
  const file = dictionaryOf(value, 'file')
  const keys = [...file.entries.keys()].join(',')
  if (keys !== FILE_KEYS) throw invalid(`a file has the keys ${JSON.stringify(keys)}`)
  const parts = listOf(file.entries.get('path'), 'path')
  if (parts.length === 0) throw invalid('a file has an empty path')
  within('parts of a path', parts.length, LIMITS.pathDepthMax)
  const path = parts.map((part) => pathPartOf(part, 'part of a path')).join('/')
  within('bytes of a path', Buffer.byteLength(path), LIMITS.pathLengthBytes)
  const lengthBytes = file.entries.get('length')
  if (typeof lengthBytes !== 'number' || lengthBytes < 0) throw invalid(`length of ${JSON.stringify(path)}`)
  within(`bytes of ${JSON.stringify(path)}`, lengthBytes, LIMITS.installedLengthBytes)
  return { path, lengthBytes }
}

const pieceLengthOf = (value: BencodeValue | undefined): number => {
  const known = typeof value === 'number' && value >= LIMITS.pieceLengthMinBytes && value <= LIMITS.pieceLengthMaxBytes
  if (!known || !Number.isInteger(Math.log2(value))) {
    throw invalid(`piece length ${typeof value === 'number' ? value : 'missing'} is not a power of two in the limits`)
  }
  return value
}

/** A name that is one safe step of a path on every system: no separators, no dots alone, no devices, no control. */
const pathPartOf = (value: BencodeValue | undefined, what: string): string => {
  const part = textOf(value)
  if (part === undefined || part === '' || UNSAFE_PART.test(part) || Buffer.byteLength(part) > 255) {
    throw invalid(`${what} ${JSON.stringify(part)} is not a safe file name`)
  }
  return part
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for.
const UNSAFE_PART = /[\u0000-\u001f\u007f"*/:<>?\\|]|^\.{1,2}$|[. ]$|^(con|prn|aux|nul|com[0-9]|lpt[0-9])(\.|$)/i

const trackersOf = ({ entries }: BencodeDictionary): readonly string[] => {
  const tiers = entries.get('announce-list')
  const announce = entries.get('announce')
  const values =
    tiers !== undefined
      ? listOf(tiers, 'announce-list').flatMap((tier) => listOf(tier, 'tier'))
      : announce !== undefined
        ? [announce]
        : []
  return urlsOf(values, 'trackers', LIMITS.trackersMax)
}

const webSeedsOf = ({ entries }: BencodeDictionary): readonly string[] => {
  const value = entries.get('url-list')
  const values = value === undefined ? [] : value instanceof Uint8Array ? [value] : listOf(value, 'url-list')
  return urlsOf(values, 'web seeds', LIMITS.webSeedsMax)
}

const urlsOf = (values: readonly BencodeValue[], what: string, max: number): readonly string[] => {
  within(what, values.length, max)
  const urls = values.map((value) => {
    const url = textOf(value)
    if (url === undefined) throw invalid(`${what} hold something that is not text`)
    within(`bytes of one of ${what}`, url.length, LIMITS.urlLengthBytes)
    return url
  })
  return [...new Set(urls)]
}

const dictionaryOf = (value: BencodeValue | undefined, what: string): BencodeDictionary => {
  if (!isDictionary(value)) throw invalid(`${what} is not a dictionary`)
  return value
}

const listOf = (value: BencodeValue | undefined, what: string): readonly BencodeValue[] => {
  if (!Array.isArray(value)) throw invalid(`${what} is not a list`)
  return value
}

const within = (what: string, value: number, max: number): void => {
  if (value > max) throw new UpdateError('LIMIT_EXCEEDED', `${value} ${what}; at most ${max} are allowed`)
}

const invalid = (what: string): UpdateError => new UpdateError('METAINFO_INVALID', `malformed metainfo: ${what}`)
