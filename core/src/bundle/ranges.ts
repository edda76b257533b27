// Ranges of bytes in a file: which parts are there and which are missing. Pure.

export interface Range {
  /** The first byte. */
  readonly start: number
  /** The byte after the last one. */
  readonly end: number
}

/** Ascending, none empty, and none touching the next. */
export type Ranges = readonly Range[]

/** Any ranges as proper ones: sorted, and joined where they touch or overlap. */
export const joinRanges = (ranges: readonly Range[]): Ranges => {
  const joined: Range[] = []
  for (const range of ranges.filter(({ start, end }) => end > start).sort((a, b) => a.start - b.start)) {
    const last = joined.at(-1)
    if (last === undefined || range.start > last.end) joined.push(range)
    else joined[joined.length - 1] = { start: last.start, end: Math.max(last.end, range.end) }
  }
  return joined
}

/** What `ranges` leave out of the first `lengthBytes` bytes. */
export const missingRanges = (ranges: Ranges, lengthBytes: number): Ranges => {
  const missing: Range[] = []
  let at = 0
  for (const { start, end } of ranges) {
    if (start > at) missing.push({ start: at, end: Math.min(start, lengthBytes) })
    at = Math.max(at, end)
  }
  if (at < lengthBytes) missing.push({ start: at, end: lengthBytes })
  return missing
}

export const lengthOfRanges = (ranges: Ranges): number => ranges.reduce((sum, { start, end }) => sum + end - start, 0)
