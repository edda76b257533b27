// Decompresses a frame and those that are based on it, and puts stretches of their content where they are wanted.
import type { FrameRow } from '../bundle-index.ts'
import { release } from '../memory.ts'
import { unpackNumbered } from './content.ts'

export interface LoadStretches {
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
export const loadStretches = ({ packPath, frames, into }: LoadStretches): void => {
  let base: Buffer | undefined
  for (const { frame, starts, lengths, positions } of frames) {
    const content = unpackNumbered(packPath, frame, base)
    for (const [row, start] of starts.entries()) {
      into.set(content.subarray(start, start + (lengths[row] ?? 0)), positions[row])
    }
    if (base === undefined) base = content
    else release(content)
  }
  release(base)
}
