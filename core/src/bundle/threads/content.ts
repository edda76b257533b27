// Puts together the content of a frame: from slices of files, or by reading a frame of a pack. Either way every byte is
// checked against a SHA-256 before it is used, but for what belongs to no chunk.
import { hash } from 'node:crypto'
import { join } from 'node:path'
import { fromFileSystem, UpdateError } from '../../errors.ts'
import type { FrameRow } from '../bundle-index.ts'
import { digestAt } from '../digest-table.ts'
import { unpackFrame } from '../frame.ts'
import { scratch } from '../memory.ts'
import { placeOf } from '../pack-place.ts'
import { READ, readFully, withFile } from './files.ts'
import { splitPaths } from './path-list.ts'

/** Slices of files, one after the other; one row each. */
export interface Slices {
  readonly kind: 'slices'
  readonly root: string
  /** Below `root`; see path-list.ts. */
  readonly paths: string
  /** Which of the paths. */
  readonly files: Uint32Array
  readonly offsets: Float64Array
  readonly lengths: Uint32Array
  /** SHA-256 of each slice, 32 bytes a row. */
  readonly digests: Uint8Array
  /** 1 for a slice that is no chunk and has no digest: then that of the whole frame has to tell. */
  readonly isUnchecked?: Uint8Array
}

/** A frame without a base. */
export interface PackedContent {
  readonly kind: 'frame'
  readonly packPath: string
  readonly frame: FrameRow
}

export type Content = Slices | PackedContent

/**
 * The result may lie in memory that the next call with the same purpose uses again.
 *
 * Errors: BUILD_CHANGED if a slice is not what it was, BUNDLE_INVALID if a frame is not, PERMISSION, IO.
 */
export const readContent = (content: Content, purpose: 'content' | 'base'): Buffer =>
  content.kind === 'slices' ? readSlices(content, purpose) : unpackNumbered(content.packPath, content.frame)

/** The packed bytes of a frame, in memory that the next call uses again. Errors: BUNDLE_INVALID, PERMISSION, IO. */
export const readPacked = (packPath: string, frame: FrameRow): Buffer => {
  const { number, packedLength, sha256 } = frame
  const { path, offset } = placeOf(packPath, frame)
  const packed = scratch('packed', packedLength)
  try {
    const read = withFile(path, READ, (file) => readFully(file, packed, offset))
    if (read !== packedLength) {
      throw new UpdateError(
        'BUNDLE_INVALID',
        `pack ends in frame ${number}: ${read} of ${packedLength} bytes at ${offset}`,
      )
    }
  } catch (error) {
    throw fromFileSystem(error, `cannot read ${path}`)
  }
  const digest = hash('sha256', packed, 'buffer')
  if (!digest.equals(sha256)) {
    throw new UpdateError(
      'BUNDLE_INVALID',
      `frame ${number} of the pack has SHA-256 ${digest.toString('hex')}, signed is ${Buffer.from(sha256).toString('hex')}`,
    )
  }
  return packed
}

/** Reads a frame and decompresses it. Errors: BUNDLE_INVALID, PERMISSION, IO. */
export const unpackNumbered = (packPath: string, frame: FrameRow, base?: Uint8Array): Buffer => {
  const packed = readPacked(packPath, frame)
  try {
    return unpackFrame(packed, frame.lengthBytes, base)
  } catch (error) {
    throw new UpdateError(
      'BUNDLE_INVALID',
      `frame ${frame.number} of the pack is no frame: ${(error as Error).message}`,
      {
        cause: error,
      },
    )
  }
}

const readSlices = (slices: Slices, purpose: 'content' | 'base'): Buffer => {
  const { root, paths, files, offsets, lengths, digests, isUnchecked } = slices
  const content = scratch(
    purpose,
    lengths.reduce((sum, length) => sum + length, 0),
  )
  const names = splitPaths(paths)
  let at = 0
  for (let row = 0; row < files.length; ) {
    const path = join(root, names[files[row] ?? 0] ?? '')
    const first = row
    try {
      withFile(path, READ, (file) => {
        // Slices of one file stand together, so it is opened once.
        for (; row < files.length && files[row] === files[first]; row += 1) {
          const slice = content.subarray(at, at + (lengths[row] ?? 0))
          const read = readFully(file, slice, offsets[row] ?? 0)
          const isRight = isUnchecked?.[row] === 1 || hash('sha256', slice, 'buffer').equals(digestAt(digests, row))
          if (read < slice.length || !isRight) throw changed(path)
          at += slice.length
        }
      })
    } catch (error) {
      throw fromFileSystem(error, `cannot read ${path}`)
    }
  }
  return content
}

const changed = (path: string): UpdateError =>
  new UpdateError('BUILD_CHANGED', `${path} changed while the build was read`, {
    hint: 'publish once the build has finished',
  })
