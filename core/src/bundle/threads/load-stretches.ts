// Job: decompresses a frame and those that are based on it, and puts stretches of their content into shared memory.
import type { FrameRow } from '../bundle-index.ts'
import { release } from '../memory.ts'
import { unpackNumbered } from './content.ts'
import type { Report } from './jobs.ts'

export interface LoadStretchesJob {
  readonly packPath: string
  /** The first one is the base of all others. */
  readonly frames: readonly FrameLoad[]
  readonly into: Uint8Array
}

/** Which stretches of a frame's content go where; one row each. */
export interface FrameLoad {
  readonly frame: FrameRow
  readonly starts: Uint32Array
  readonly lengths: Uint32Array
  readonly positions: Float64Array
}

/** Errors: BUNDLE_INVALID, PERMISSION, IO. */
export const loadStretches = ({ packPath, frames, into }: LoadStretchesJob, report: Report): void => {
  let base: Buffer | undefined
  for (const { frame, starts, lengths, positions } of frames) {
    const content = unpackNumbered(packPath, frame, base)
    for (const [row, start] of starts.entries()) {
      const lengthBytes = lengths[row] ?? 0
      into.set(content.subarray(start, start + lengthBytes), positions[row])
      report(lengthBytes)
    }
    if (base === undefined) base = content
    else release(content)
  }
  release(base)
}
