// One web seed of one torrent (BEP 19): long runs of missing pieces, fetched with range requests and handed over block by
// block. Whole pieces only, so that a bad one is known to be its.
//
// Replaces webtorrent's `WebConn`, which makes a request for every piece, follows any redirect to any address, and asks a
// corrupt server for ever (webtorrent issues 1504, 2192).
import type { IncomingMessage } from 'node:http'
import type { Metainfo } from '../metainfo.ts'
import { webSeedBanSubject } from '../peers/bans.ts'
import { BLOCK_LENGTH, type FilePart, geometryOf } from '../pieces/geometry.ts'
import type { Picker, Source, StartedPiece } from '../pieces/picker.ts'
import type { RateLimiter } from '../rate-limiter.ts'
import type { GuardedHttp } from './guarded-http.ts'

export interface WebSeed extends Source {
  readonly url: string
  readonly receivedBytes: number
  /** When the last of what it was asked for may be expected, from now. */
  readonly delayMs: number
  /** Fetches while `isWanted` says so and pieces are missing; returns at once. */
  wake(): void
  close(): void
}

export interface WebSeedOptions {
  readonly url: string
  readonly metainfo: Metainfo
  readonly picker: Picker
  /** A piece that others were asked for and will not send soon, when nothing else is left. */
  readonly takeOver: (seed: WebSeed) => StartedPiece | undefined
  readonly http: GuardedHttp
  readonly limiter: RateLimiter
  readonly now: () => number
  /** Asked before each run. */
  readonly isWanted: () => boolean
  /** Nobody nearer brings the piece. */
  readonly isFree: (index: number) => boolean
  /** It is being fetched from here now. */
  readonly onBegun: (index: number) => void
  readonly receive: (piece: StartedPiece, block: number, data: Uint8Array) => void
  readonly onWarning: (message: string) => void
}

/** Long enough that the pause between two requests does not show, short enough to stop soon when peers suffice. */
const RUN_BYTES = 8 * 1024 * 1024
/** The second request begins while the first is still answered: the link never waits for a round trip. */
const RUNS_AT_ONCE = 2
const IDLE_TIMEOUT_MS = 15_000
const RETRY_FIRST_MS = 1_000
const RETRY_MAX_MS = 60_000

export const createWebSeed = (options: WebSeedOptions): WebSeed => {
  const { url, metainfo, picker, takeOver, http, limiter, now, isWanted, receive, onWarning } = options
  const { isFree, onBegun } = options
  const { partsOf } = geometryOf(metainfo)
  const controller = new AbortController()
  const startedAt = now()
  let receivedBytes = 0
  let owedBytes = 0
  let runs = 0
  let failures = 0
  let retry: NodeJS.Timeout | undefined

  const wake = (): void => {
    while (!controller.signal.aborted && retry === undefined && runs < RUNS_AT_ONCE && isWanted()) {
      const run = claim()
      if (run.length === 0) return
      runs += 1
      void fetchRun(run)
    }
  }

  const claim = (): readonly StartedPiece[] => {
    const run = picker.claimRun(seed, Math.max(1, Math.floor(RUN_BYTES / metainfo.pieceLength)), isFree)
    const relieved = run.length > 0 || runs > 0 ? undefined : takeOver(seed)
    for (const { index } of run) onBegun(index)
    return relieved === undefined ? run : [relieved]
  }

  const fetchRun = async (run: readonly StartedPiece[]): Promise<void> => {
    const writer = createRunWriter(run)
    const lengthOfRun = run.reduce((sum, piece) => sum + piece.length, 0)
    const first = run[0]?.index ?? 0
    owedBytes += lengthOfRun
    try {
      for (const part of partsOf(first * metainfo.pieceLength, lengthOfRun)) {
        if (!(await fetchPart(part, writer))) break
      }
      failures = 0
    } catch (error) {
      if (!controller.signal.aborted) later(error as Error)
    } finally {
      owedBytes -= lengthOfRun
      runs -= 1
      writer.releaseRest()
      wake()
    }
  }

  /** Gives false if the rest of the run has been taken over by somebody else. */
  const fetchPart = async (part: FilePart, writer: RunWriter): Promise<boolean> => {
    const target = fileUrlOf(url, metainfo, part.file)
    const last = part.offset + part.length - 1
    const response = await http.get(target, {
      headers: { range: `bytes=${part.offset}-${last}` },
      idleTimeoutMs: IDLE_TIMEOUT_MS,
      signal: controller.signal,
    })
    try {
      assertRange(response, target, part, metainfo.files[part.file]?.lengthBytes ?? 0)
      let got = 0
      for await (const chunk of response as AsyncIterable<Buffer>) {
        got += chunk.length
        receivedBytes += chunk.length
        if (got > part.length) throw new Error(`${target} sent more than was asked for`)
        limiter.spend(chunk.length)
        if (!limiter.isReady()) await new Promise<void>((ready) => limiter.whenReady(ready))
        if (!writer.write(chunk)) return false
      }
      if (got < part.length) throw new Error(`${target} ended after ${got} of ${part.length} bytes`)
      return true
    } finally {
      response.destroy()
    }
  }

  const createRunWriter = (run: readonly StartedPiece[]): RunWriter => {
    const block = Buffer.allocUnsafeSlow(BLOCK_LENGTH)
    let [place, blockIndex, filled] = [0, 0, 0]
    return {
      write: (chunk) => {
        for (let at = 0; at < chunk.length; ) {
          const piece = run[place]
          // Another source took the piece over: what is left of the run is no longer ours.
          if (piece === undefined || piece.alone !== seed) return false
          const length = Math.min(BLOCK_LENGTH, piece.length - blockIndex * BLOCK_LENGTH)
          const taken = Math.min(length - filled, chunk.length - at)
          chunk.copy(block, filled, at, at + taken)
          at += taken
          filled += taken
          if (filled < length) continue
          receive(piece, blockIndex, block.subarray(0, length))
          filled = 0
          blockIndex += 1
          if (blockIndex * BLOCK_LENGTH < piece.length) continue
          blockIndex = 0
          place += 1
        }
        return true
      },
      releaseRest: () => {
        for (const piece of run.slice(place)) {
          for (const index of piece.askers.keys()) picker.release({ piece, block: index }, seed)
        }
      },
    }
  }

  const later = (error: Error): void => {
    const waitMs = Math.min(RETRY_MAX_MS, RETRY_FIRST_MS * 2 ** failures)
    failures += 1
    onWarning(`web seed ${url}: ${error.message}; trying again in ${waitMs / 1000} s`)
    clearTimeout(retry)
    retry = setTimeout(() => {
      retry = undefined
      wake()
    }, waitMs)
  }

  const seed: WebSeed = {
    url,
    name: `web seed ${url}`,
    banSubjects: [webSeedBanSubject(url, metainfo.infoHash)],
    wake,
    get receivedBytes() {
      return receivedBytes
    },
    get delayMs() {
      const bytesPerMs = receivedBytes / Math.max(1, now() - startedAt)
      return bytesPerMs === 0 ? now() - startedAt : owedBytes / bytesPerMs
    },
    close: () => {
      controller.abort()
      clearTimeout(retry)
    },
  }
  return seed
}

interface RunWriter {
  /** Gives false once the run is no longer ours. */
  write(chunk: Buffer): boolean
  releaseRest(): void
}

/** BEP 19: `<base><name>/<path>`. */
const fileUrlOf = (base: string, { name, files }: Metainfo, file: number): string => {
  const parts = [name, ...(files[file]?.path.split('/') ?? [])].map(encodeURIComponent)
  return `${base}${base.endsWith('/') ? '' : '/'}${parts.join('/')}`
}

/** A server that ignores ranges, or compresses, or has another file there, is found out before its bytes are used. */
const assertRange = (response: IncomingMessage, target: string, part: FilePart, fileLength: number): void => {
  const { statusCode, headers } = response
  const isWhole = part.offset === 0 && part.length === fileLength
  const expected = `bytes ${part.offset}-${part.offset + part.length - 1}/${fileLength}`
  if (headers['content-encoding'] !== undefined && headers['content-encoding'] !== 'identity') {
    throw new Error(`${target} answers compressed`)
  }
  if (statusCode === 206 && headers['content-range'] !== expected) {
    throw new Error(`${target} answers ${JSON.stringify(headers['content-range'])} to ${JSON.stringify(expected)}`)
  }
  if (statusCode !== 206 && !(statusCode === 200 && isWhole)) {
    throw new Error(`${target} answers ${statusCode} to a range request`)
  }
  const answered = headers['content-length']
  if (answered !== undefined && answered !== `${part.length}`) {
    throw new Error(`${target} answers ${answered} bytes in place of ${part.length}`)
  }
}
