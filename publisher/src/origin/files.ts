// The public files of a repository over HTTP: metadata, targets and bundles, byte ranges and ETags. It decides by a
// grammar of names what may be asked for and never decodes, normalises or lists anything; keys are out of its reach.
import { constants } from 'node:fs'
import { type FileHandle, open, realpath } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { systemCodeOf } from '@updraft/core/errors'
import { LIMITS } from '@updraft/core/limits'

/** The folders of a repository that the world may read. */
export const PUBLIC_FOLDERS = ['metadata', 'targets', 'bundles'] as const
export type PublicFolder = (typeof PUBLIC_FOLDERS)[number]

declare const brand: unique symbol
/** Path of a public file below the repository, `/` between parts. Safe to join: no empty, dot or hidden part. */
export type PublicPath = string & { readonly [brand]: 'PublicPath' }

/** Every name in a repository is made of these. What begins with a dot is unfinished or private. */
const PART = /^[A-Za-z0-9_][A-Za-z0-9_.+-]{0,254}$/
const DEPTH_MAX = 8

/**
 * The public path that a request target names, or undefined. Names never need percent-encoding, so an encoded name is
 * not a name: there is no second spelling of any file that a check could miss.
 */
export const parsePublicPath = (pathname: string, folders: readonly PublicFolder[]): PublicPath | undefined => {
  const [empty, folder, ...parts] = pathname.split('/')
  if (empty !== '' || !folders.some((allowed) => allowed === folder)) return undefined
  if (parts.length === 0 || parts.length > DEPTH_MAX || !parts.every((part) => PART.test(part))) return undefined
  return [folder, ...parts].join('/') as PublicPath
}

/** How slowly an answer may be read: `graceMs` and then at least so many bytes in each second, on the whole. */
export interface Pace {
  readonly graceMs: number
  readonly bytesPerSecondMin: number
}

const PACE: Pace = { graceMs: LIMITS.originIdleTimeoutMs, bytesPerSecondMin: LIMITS.originSendBytesPerSecondMin }

export interface FileServerOptions {
  readonly pace?: Pace | undefined
  /** Bytes of a bundle that went out, whole or in part. */
  readonly onSent?: ((bytes: number) => void) | undefined
}

export interface FileServer {
  /** Answers GET and HEAD for a public path; 404 if there is no such regular file below the root. */
  serve(path: PublicPath, request: IncomingMessage, response: ServerResponse): Promise<void>
}

/**
 * Serves files below `root`, which exists. A path with a symbolic link in it is not served, wherever the link leads.
 *
 * Source: RFC 9110 (13 conditional requests, 14 ranges), BEP 19 (web seeds).
 */
export const openFileServer = async (
  root: string,
  { pace = PACE, onSent = () => {} }: FileServerOptions = {},
): Promise<FileServer> => {
  const base = await realpath(root)
  return {
    serve: async (path, request, response) => {
      await using file = await openPublicFile(base, path)
      if (file === undefined) sendText(response, 404, 'not found')
      else await sendFile(file, { path, pace, onSent }, request, response)
    },
  }
}

/** A short answer in plain text; errors must not be kept by caches, since the file may come to be. */
export const sendText = (response: ServerResponse, status: number, text: string): void => {
  response.writeHead(status, {
    'content-type': 'text/plain; charset=utf-8',
    'cache-control': 'no-store',
    'content-length': Buffer.byteLength(text) + 1,
  })
  response.end(`${text}\n`)
}

interface PublicFile extends AsyncDisposable {
  readonly handle: FileHandle
  readonly sizeBytes: number
  readonly etag: string
}

/** A regular file below `base`, which is a real path; undefined if there is none. Errors: IO of the system. */
export const openPublicFile = async (base: string, path: PublicPath): Promise<PublicFile | undefined> => {
  const full = join(base, path)
  let handle: FileHandle | undefined
  try {
    // O_NONBLOCK: opening a named pipe that someone left there must not wait for its other end.
    handle = await open(full, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
    const stat = await handle.stat({ bigint: true })
    if (stat.isFile() && (await realpath(full)) === full) {
      const opened = handle
      handle = undefined
      return {
        handle: opened,
        sizeBytes: Number(stat.size),
        // Files are only ever replaced by renaming, so another inode or time means other bytes: a strong tag.
        etag: `"${stat.ino.toString(36)}-${stat.size.toString(36)}-${stat.mtimeNs.toString(36)}"`,
        [Symbol.asyncDispose]: () => opened.close(),
      }
    }
    return undefined
  } catch (error) {
    if (ABSENT.has(systemCodeOf(error) ?? '')) return undefined
    throw error
  } finally {
    await handle?.close()
  }
}

/** What "there is no such file for you" looks like to the operating system. */
const ABSENT = new Set(['ENOENT', 'ENOTDIR', 'ELOOP', 'EISDIR', 'ENAMETOOLONG', 'ENXIO', 'EACCES', 'EPERM'])

interface Sending {
  readonly path: PublicPath
  readonly pace: Pace
  readonly onSent: (bytes: number) => void
}

const sendFile = async (
  file: PublicFile,
  sending: Sending,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> => {
  const { path } = sending
  const headers = {
    etag: file.etag,
    'cache-control': cacheControlOf(path),
    'accept-ranges': 'bytes',
    'content-type': contentTypeOf(path),
  }
  if (matchesTag(request.headers['if-none-match'], file.etag)) {
    response.writeHead(304, headers).end()
    return
  }
  const range = rangeOf(request, file)
  if (range === 'unsatisfiable') {
    response.setHeader('content-range', `bytes */${file.sizeBytes}`)
    sendText(response, 416, 'range not satisfiable')
    return
  }
  const { start, end } = range ?? { start: 0, end: file.sizeBytes - 1 }
  const lengthBytes = end - start + 1
  response.writeHead(range === undefined ? 200 : 206, {
    ...headers,
    'content-length': lengthBytes,
    ...(range === undefined ? {} : { 'content-range': `bytes ${start}-${end}/${file.sizeBytes}` }),
  })
  if (request.method === 'HEAD' || lengthBytes === 0) response.end()
  else await sendBytes(file.handle, { start, end }, sending, response)
}

const sendBytes = async (
  handle: FileHandle,
  { start, end }: Range,
  { path, pace, onSent }: Sending,
  response: ServerResponse,
) => {
  const lengthBytes = end - start + 1
  const allowedMs = pace.graceMs + (lengthBytes / pace.bytesPerSecondMin) * 1_000
  const tooSlow = setTimeout(() => response.destroy(), Math.min(allowedMs, TIMER_MAX_MS))
  const bytes = handle.createReadStream({ start, end, autoClose: false, highWaterMark: READ_BYTES })
  try {
    await pipeline(bytes, response)
    // The length was promised in the header: without the last bytes the connection must not be used again.
    if (bytes.bytesRead !== lengthBytes) response.req.socket.destroy()
  } catch (error) {
    response.destroy()
    if (!GONE.has(systemCodeOf(error) ?? '')) throw error
  } finally {
    clearTimeout(tooSlow)
    if (path.startsWith('bundles/')) onSent(bytes.bytesRead)
  }
}

/** A read of 256 KiB keeps the disk and the socket busy with few calls; it is also what a slow client may hold. */
const READ_BYTES = 256 * 1_024
/** Longer delays make Node's timers fire at once. */
const TIMER_MAX_MS = 2 ** 31 - 1
/** The client hung up: its right, and nothing to report. */
const GONE = new Set(['ERR_STREAM_PREMATURE_CLOSE', 'ECONNRESET', 'EPIPE', 'ECONNABORTED', 'ERR_STREAM_DESTROYED'])

interface Range {
  readonly start: number
  readonly end: number
}

/**
 * The one range that was asked for; undefined means the whole file, which is also the answer to several ranges and to
 * headers that make no sense (RFC 9110 14.2 lets a server ignore them).
 */
const rangeOf = (request: IncomingMessage, file: PublicFile): Range | 'unsatisfiable' | undefined => {
  const { range, 'if-range': ifRange } = request.headers
  if (request.method !== 'GET' || range === undefined) return undefined
  if (ifRange !== undefined && ifRange !== file.etag) return undefined
  const [, first = '', last = ''] = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(range) ?? []
  const size = file.sizeBytes
  if (first === '') {
    if (last === '') return undefined
    const suffixBytes = Number(last)
    return suffixBytes === 0 || size === 0 ? 'unsatisfiable' : { start: Math.max(0, size - suffixBytes), end: size - 1 }
  }
  const start = Number(first)
  const end = last === '' ? size - 1 : Math.min(Number(last), size - 1)
  if (last !== '' && Number(last) < start) return undefined
  return start >= size ? 'unsatisfiable' : { start, end }
}

/** RFC 9110 13.1.2: a list of tags or `*`, compared weakly. */
const matchesTag = (ifNoneMatch: string | undefined, etag: string): boolean =>
  ifNoneMatch?.split(',').some((tag) => tag.trim() === '*' || tag.trim().replace(/^W\//, '') === etag) ?? false

/** Only what has its version or digest in its name never changes; `timestamp.json` is asked for anew each time. */
const cacheControlOf = (path: PublicPath): string =>
  /^(targets|bundles)\/|^metadata\/[0-9]+\./.test(path) ? 'public, max-age=31536000, immutable' : 'no-cache'

const contentTypeOf = (path: PublicPath): string => {
  if (path.endsWith('.json')) return 'application/json'
  return path.endsWith('.torrent') ? 'application/x-bittorrent' : 'application/octet-stream'
}
