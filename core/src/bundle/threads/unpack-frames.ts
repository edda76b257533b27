// Job: decompresses a frame and those that are based on it, checks every chunk, and writes the chunks to where they belong.
// A file that one frame holds entirely is created and checked here; others were created before and are checked afterwards.
import { hash } from 'node:crypto'
import { join } from 'node:path'
import { fromFileSystem, UpdateError } from '../../errors.ts'
import type { FrameRow } from '../bundle-index.ts'
import { digestAt } from '../digest-table.ts'
import { release } from '../memory.ts'
import { unpackNumbered } from './content.ts'
import { CREATE, WRITE, withFile, writeFully } from './files.ts'
import type { Report } from './jobs.ts'
import { splitPaths } from './path-list.ts'

/** Stretches of a frame's content that go to one place of one file each; one row each. */
export interface Placements {
  /** Below the folder; see path-list.ts. */
  readonly paths: string
  /** Which of the paths. */
  readonly files: Uint32Array
  /** Where in the file. */
  readonly offsets: Float64Array
  /** Where in the frame's content. */
  readonly starts: Uint32Array
  readonly lengths: Uint32Array
  /** What the stretch is of its file: PART, or all of it in one chunk or in several. */
  readonly extents: Uint8Array
  /** SHA-256 of the file, 32 bytes a row; only for SEVERAL_CHUNKS. */
  readonly digests: Uint8Array
}

/** The file exists already, with its full length. */
export const PART = 0
/** The file is to be created; the chunk's SHA-256 is its own. */
export const ONE_CHUNK = 1
/** The file is to be created, and its SHA-256 to be checked. */
export const SEVERAL_CHUNKS = 2

export interface FrameWork {
  readonly frame: FrameRow
  readonly chunkStarts: Uint32Array
  readonly chunkLengths: Uint32Array
  readonly chunkDigests: Uint8Array
  readonly placements: Placements
}

export interface UnpackFramesJob {
  readonly packPath: string
  readonly into: string
  /** The first one is the base of all others. */
  readonly frames: readonly FrameWork[]
}

/** Errors: BUNDLE_INVALID, DISK_FULL, PERMISSION, IO. */
export const unpackFrames = ({ packPath, into, frames }: UnpackFramesJob, report: Report): void => {
  let base: Buffer | undefined
  for (const work of frames) {
    const content = unpackNumbered(packPath, work.frame, base)
    verifyChunks(work, content)
    writePlacements(into, work.placements, content)
    report(content.length)
    if (base === undefined) base = content
    else release(content)
  }
  release(base)
}

const verifyChunks = (work: FrameWork, content: Buffer): void => {
  const { frame, chunkStarts, chunkLengths, chunkDigests, placements } = work
  for (const [row, start] of chunkStarts.entries()) {
    const digest = hash('sha256', content.subarray(start, start + (chunkLengths[row] ?? 0)), 'buffer')
    const signed = digestAt(chunkDigests, row)
    if (digest.equals(signed)) continue
    const place = placements.starts.findIndex(
      (from, at) => from <= start && start < from + (placements.lengths[at] ?? 0),
    )
    const path = splitPaths(placements.paths)[placements.files[place] ?? 0]
    throw new UpdateError(
      'BUNDLE_INVALID',
      `chunk ${frame.firstChunk + row} in ${JSON.stringify(path)} has SHA-256 ${digest.toString('hex')}, signed is ${hexOf(signed)}`,
    )
  }
}

const writePlacements = (into: string, placements: Placements, content: Buffer): void => {
  const paths = splitPaths(placements.paths)
  for (const [row, start] of placements.starts.entries()) {
    const path = paths[placements.files[row] ?? 0] ?? ''
    const bytes = content.subarray(start, start + (placements.lengths[row] ?? 0))
    const extent = placements.extents[row]
    if (extent === SEVERAL_CHUNKS) verifyFile(path, hash('sha256', bytes, 'buffer'), digestAt(placements.digests, row))
    // Zeros stay a hole: the file has its full length already.
    if (extent === PART && isZero(bytes)) continue
    try {
      const offset = placements.offsets[row] ?? 0
      withFile(join(into, path), extent === PART ? WRITE : CREATE, (file) => writeFully(file, bytes, offset))
    } catch (error) {
      throw fromFileSystem(error, `cannot write ${join(into, path)}`)
    }
  }
}

/** Errors: BUNDLE_INVALID. */
export const verifyFile = (path: string, digest: Buffer, signed: Uint8Array): void => {
  if (digest.equals(signed)) return
  throw new UpdateError(
    'BUNDLE_INVALID',
    `file ${JSON.stringify(path)} has SHA-256 ${digest.toString('hex')}, signed is ${hexOf(signed)}`,
  )
}

const hexOf = (digest: Uint8Array): string => Buffer.from(digest).toString('hex')

const ZEROS = Buffer.alloc(65_536)

const isZero = (bytes: Buffer): boolean => {
  for (let at = 0; at < bytes.length; at += ZEROS.length) {
    const part = bytes.subarray(at, at + ZEROS.length)
    if (!part.equals(ZEROS.subarray(0, part.length))) return false
  }
  return true
}
