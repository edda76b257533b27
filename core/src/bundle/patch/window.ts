// What of the source a segment is compared with. All of it would take memory and time in proportion to a release of which little
// has changed; so it is what lies around where the like of the segment should be, and all of it only where that is little. Pure.
import type { Segment, Sequence, Span } from './sequence.ts'

/** Measured: twice as much makes no patch smaller, half as much doubles some. */
const WINDOW_BYTES = 16 * 1024 * 1024

/**
 * The spans of the source, in order, that come to at most WINDOW_BYTES and have in them as much as possible around each of the
 * positions `like` of the segment's rows: on every side of all of them the same.
 */
export const windowOf = (source: Sequence, like: Float64Array, segment: Segment): readonly Span[] => {
  if (source.lengthBytes <= WINDOW_BYTES) return [{ first: 0, end: source.lengths.length }]
  const around = [...new Set(like.subarray(segment.first, segment.end))].sort((a, b) => a - b)
  let [least, most] = [0, WINDOW_BYTES]
  while (most - least > REACH_STEP_BYTES) {
    const reach = (least + most) / 2
    if (lengthOf(source, spansWithin(source, around, reach)) <= WINDOW_BYTES) least = reach
    else most = reach
  }
  const spans = spansWithin(source, around, least)
  return lengthOf(source, spans) <= WINDOW_BYTES ? spans : firstOf(source, spans)
}

const REACH_STEP_BYTES = 4096

const lengthOf = ({ positions }: Sequence, spans: readonly Span[]): number =>
  spans.reduce((sum, { first, end }) => sum + (positions[end] ?? 0) - (positions[first] ?? 0), 0)

/** All rows of which a byte is within `reach` of one of the positions, which are ascending. */
const spansWithin = (source: Sequence, around: readonly number[], reach: number): readonly Span[] => {
  const spans: { first: number; end: number }[] = []
  for (const position of around) {
    const first = rowAt(source, position - reach)
    const end = rowAt(source, position + reach) + 1
    const last = spans.at(-1)
    if (last !== undefined && first <= last.end) last.end = Math.max(last.end, end)
    else spans.push({ first, end })
  }
  return spans
}

/** The row that a position of the sequence is in; the first or the last one for a position outside. */
const rowAt = ({ positions, lengths }: Sequence, position: number): number => {
  let [low, high] = [0, lengths.length - 1]
  while (low < high) {
    const middle = Math.ceil((low + high) / 2)
    if ((positions[middle] ?? 0) <= position) low = middle
    else high = middle - 1
  }
  return low
}

/** Where even the rows at the positions are too many: as many as there is room for. */
const firstOf = (source: Sequence, spans: readonly Span[]): readonly Span[] => {
  const kept: Span[] = []
  let lengthBytes = 0
  for (const span of spans) {
    lengthBytes += lengthOf(source, [span])
    if (lengthBytes > WINDOW_BYTES) return kept
    kept.push(span)
  }
  return kept
}
