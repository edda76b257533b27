// Job: makes one segment of a patch's target from installed files, and writes it to where it belongs.
import { closeSync, openSync } from 'node:fs'
import { fromFileSystem, UpdateError } from '../../errors.ts'
import { unpackFrame } from '../frame.ts'
import { scratch } from '../memory.ts'
import { decodeSegment, type ReadSource } from '../patch/segment.ts'
import { READ, readFully, WRITE, withFile, writeFully } from './files.ts'
import type { Report } from './jobs.ts'
import { splitPaths } from './path-list.ts'

export interface ApplySegmentJob {
  readonly patchPath: string
  readonly segment: SegmentPlace
  readonly source: SourceFiles
  /** A file that is there; the segment goes to `start` in it. */
  readonly into: string
  readonly start: number
  readonly lengthBytes: number
}

/** Where the segment's frame is in the patch, and what its header says. */
export interface SegmentPlace {
  readonly number: number
  readonly offset: number
  readonly packedLength: number
  readonly contentLength: number
  readonly dictionaryPosition: number
  readonly dictionaryLength: number
}

/** The stretches of files that make up the source, one after the other. */
export interface SourceFiles {
  /** Whole paths; see path-list.ts. */
  readonly paths: string
  /** Which of the paths. */
  readonly files: Uint32Array
  /** Where in the file. */
  readonly offsets: Float64Array
  /** Where in the source, and, as one more row, the length of the source. */
  readonly starts: Float64Array
}

/** Errors: BUNDLE_INVALID if the patch is none, DISK_FULL, PERMISSION, IO of the patch and of `into`. */
export const applySegment = (job: ApplySegmentJob, report: Report): void => {
  const { patchPath, segment, source, into, start, lengthBytes } = job
  const content = scratch('content', lengthBytes)
  using reader = openSource(source)
  try {
    const packed = scratch('packed', segment.packedLength)
    withFile(patchPath, READ, (file) => readFully(file, packed, segment.offset))
    const dictionary = segment.dictionaryLength === 0 ? undefined : scratch('base', segment.dictionaryLength)
    if (dictionary !== undefined) reader.read(segment.dictionaryPosition, dictionary)
    const columns = unpackFrame(packed, segment.contentLength, dictionary)
    decodeSegment(columns, source.starts.at(-1) ?? 0, reader.read, content)
  } catch (error) {
    const message = `segment ${segment.number} of the patch is of no use: ${(error as Error).message}`
    if (error instanceof UpdateError) throw new UpdateError(error.code, message, { cause: error })
    throw fromFileSystem(error, `cannot read ${patchPath}`)
  }
  try {
    withFile(into, WRITE, (file) => writeFully(file, content, start))
  } catch (error) {
    throw fromFileSystem(error, `cannot write ${into}`)
  }
  report(lengthBytes)
}

interface SourceReader extends Disposable {
  /** What is gone, shorter or not readable here reads as zeros: the chunks made of it then have other digests. */
  readonly read: ReadSource
}

const openSource = ({ paths: joined, files, offsets, starts }: SourceFiles): SourceReader => {
  const paths = splitPaths(joined)
  let open: { readonly row: number; readonly handle: number | undefined } | undefined
  const close = (): void => {
    if (open?.handle !== undefined) closeSync(open.handle)
    open = undefined
  }
  const handleOf = (row: number): number | undefined => {
    if (open?.row === row) return open.handle
    close()
    let handle: number | undefined
    try {
      handle = openSync(paths[row] ?? '', READ)
    } catch {}
    open = { row, handle }
    return handle
  }
  const readPart = (row: number, offset: number, into: Uint8Array): void => {
    let read = 0
    try {
      const handle = handleOf(row)
      if (handle !== undefined) read = readFully(handle, into, offset)
    } catch {}
    into.fill(0, read)
  }
  return {
    read: (position, into) => {
      for (let done = 0, row = rowAt(starts, position); done < into.length; row += 1) {
        const begin = position + done - (starts[row] ?? 0)
        const length = Math.min(into.length - done, (starts[row + 1] ?? 0) - (starts[row] ?? 0) - begin)
        if (!(length > 0)) throw new UpdateError('BUNDLE_INVALID', `it reads beyond the source's end`)
        readPart(files[row] ?? 0, (offsets[row] ?? 0) + begin, into.subarray(done, done + length))
        done += length
      }
    },
    [Symbol.dispose]: close,
  }
}

/** The last row that starts at or before `position`. */
const rowAt = (starts: Float64Array, position: number): number => {
  let low = 0
  let high = starts.length - 1
  while (high - low > 1) {
    const middle = (low + high) >> 1
    if ((starts[middle] ?? 0) <= position) low = middle
    else high = middle
  }
  return low
}
