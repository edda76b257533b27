// What a worker thread needs to know to read rows of a sequence from a pack. Pure; the reading is threads/load-stretches.ts.
import { frameOf } from '../bundle-index.ts'
import type { LocalPack } from '../reuse.ts'
import type { Loaded } from '../threads/diff-segment.ts'
import type { FrameLoad } from '../threads/load-stretches.ts'
import type { Sequence, Span } from './sequence.ts'
import type { Stretches } from './stretches.ts'

/** The rows of `spans`, end to end. */
export const loadedOf = ({ index, packPath }: LocalPack, sequence: Sequence, spans: readonly Span[]): Loaded => {
  const rowsOfFrame = new Map<number, { readonly row: number; readonly place: number }[]>()
  let place = 0
  for (const { first, end } of spans) {
    for (let row = first; row < end; row += 1) {
      const frame = sequence.frames[row] ?? 0
      const rows = rowsOfFrame.get(frame)
      if (rows === undefined) rowsOfFrame.set(frame, [{ row, place }])
      else rows.push({ row, place })
      place += sequence.lengths[row] ?? 0
    }
  }
  const loadOf = (number: number): FrameLoad => {
    const rows = rowsOfFrame.get(number) ?? []
    return {
      frame: frameOf(index, number),
      starts: Uint32Array.from(rows, ({ row }) => sequence.starts[row] ?? 0),
      lengths: Uint32Array.from(rows, ({ row }) => sequence.lengths[row] ?? 0),
      positions: Float64Array.from(rows, ({ place }) => place),
    }
  }
  const families = Map.groupBy(
    [...rowsOfFrame.keys()].sort((a, b) => a - b),
    (frame) => (index.frames.bases[frame] === -1 ? frame : (index.frames.bases[frame] ?? frame)),
  )
  return {
    lengthBytes: place,
    packPath,
    families: [...families].map(([key, frames]) => [key, ...frames.filter((frame) => frame !== key)].map(loadOf)),
  }
}

/** Where the rows of `spans`, end to end, are in the sequence. */
export const stretchesOf = ({ positions, lengthBytes }: Sequence, spans: readonly Span[]): Stretches => {
  const places = new Float64Array(spans.length + 1)
  for (const [row, { first, end }] of spans.entries()) {
    places[row + 1] = (places[row] ?? 0) + (positions[end] ?? 0) - (positions[first] ?? 0)
  }
  return {
    places,
    positions: Float64Array.from(spans, ({ first }) => positions[first] ?? 0),
    sourceLength: lengthBytes,
  }
}
