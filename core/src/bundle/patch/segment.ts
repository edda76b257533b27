// One segment of a patch: how its bytes come out of the source. As columns, since numbers of one kind compress best side by
// side. The reader treats them as hostile; whether the result is right is told by the chunks' digests, not here.
import { UpdateError } from '../../errors.ts'
import {
  type ColumnReader,
  type ColumnWriter,
  makeColumnReader,
  makeColumnWriter,
  unzigzag,
  zigzag,
} from '../columns.ts'
import type { Operations } from './matching.ts'

/** Fills `into` with the source's bytes from `position` on. */
export type ReadSource = (position: number, into: Uint8Array) => void

/**
 * Describes `target` by copies and literals. Where `source` is put together from stretches, no copy goes over the end of one, and
 * `positionOf` says where in all of the source a place of `source` is.
 *
 * Shape: `docs/bundle-format.md`, "Patches".
 */
export const encodeSegment = (
  operations: Operations,
  source: Uint8Array,
  target: Uint8Array,
  positionOf: (place: number) => number = (place) => place,
): Buffer => {
  const { moves, copies, literals } = operations
  const writer = makeColumnWriter()
  writer.number(moves.length)
  let place = 0
  let position = 0
  for (const [row, move] of moves.entries()) {
    const copy = copies[row] ?? 0
    place += move
    const next = copy === 0 ? position : positionOf(place)
    writer.number(zigzag(next - position))
    place += copy
    position = next + copy
  }
  for (const copy of copies) writer.number(copy)
  for (const literal of literals) writer.number(literal)
  const changes = makeChanges()
  let at = 0
  let from = 0
  for (const [row, copy] of copies.entries()) {
    from += moves[row] ?? 0
    for (let offset = 0; offset < copy; offset += 1) {
      changes.add(((target[at + offset] ?? 0) - (source[from + offset] ?? 0)) & 0xff)
    }
    from += copy
    at += copy
    writer.bytes(target.subarray(at, at + (literals[row] ?? 0)))
    at += literals[row] ?? 0
  }
  changes.writeTo(writer)
  return writer.finish()
}

/** Copied bytes that differ, as runs: unchanged ones before each, its length, and what is to be added to each byte. */
const makeChanges = () => {
  const skips = makeColumnWriter()
  const lengths = makeColumnWriter()
  const values = makeColumnWriter()
  let runs = 0
  let skipped = 0
  let length = 0
  const endRun = (): void => {
    if (length === 0) return
    runs += 1
    skips.number(skipped)
    lengths.number(length)
    skipped = 0
    length = 0
  }
  return {
    add: (value: number): void => {
      if (value === 0) {
        endRun()
        skipped += 1
        return
      }
      values.byte(value)
      length += 1
    },
    writeTo: (writer: ColumnWriter): void => {
      endRun()
      writer.number(runs)
      for (const column of [skips, lengths, values]) writer.bytes(column.finish())
    },
  }
}

/**
 * Makes the segment's bytes in `into`, all of it.
 *
 * Errors: BUNDLE_INVALID if the columns contradict themselves, the source's length or that of `into`.
 */
export const decodeSegment = (content: Uint8Array, sourceLength: number, readSource: ReadSource, into: Uint8Array) => {
  const reader = makeColumnReader(content, 'patch')
  const count = reader.number()
  const moves = reader.numbers(count)
  const copies = reader.numbers(count)
  const literals = reader.numbers(count)
  let at = 0
  let position = 0
  for (let row = 0; row < count; row += 1) {
    const [copy = 0, literal = 0] = [copies[row], literals[row]]
    position += unzigzag(moves[row] ?? 0)
    if (copy + literal > into.length - at) throw invalid(`writes more than ${into.length} bytes`)
    if (copy > 0) {
      if (position < 0 || position + copy > sourceLength) {
        throw invalid(`copies ${copy} bytes at ${position} of the source's ${sourceLength}`)
      }
      readSource(position, into.subarray(at, at + copy))
    }
    position += copy
    into.set(reader.bytes(literal), at + copy)
    at += copy + literal
  }
  if (at < into.length) throw invalid(`writes ${at} of ${into.length} bytes`)
  applyChanges(reader, copies, literals, into)
  if (reader.remainingBytes > 0) throw invalid(`has ${reader.remainingBytes} bytes after its last column`)
}

const applyChanges = (reader: ColumnReader, copies: Float64Array, literals: Float64Array, into: Uint8Array): void => {
  const count = reader.number()
  const skips = reader.numbers(count)
  const lengths = reader.numbers(count)
  let row = 0
  let at = 0
  let left = copies[0] ?? 0 // Of the copy that `at` is in.
  /** Goes `bytes` on among the copied bytes, and to the beginning of the next copy once one is at its end. */
  const advance = (bytes: number): void => {
    let rest = bytes
    while (rest >= left) {
      if (row >= copies.length) {
        if (rest > left) throw invalid('changes more bytes than it copies')
        return
      }
      rest -= left
      at += left + (literals[row] ?? 0)
      row += 1
      left = copies[row] ?? 0
    }
    at += rest
    left -= rest
  }
  for (let change = 0; change < count; change += 1) {
    advance(skips[change] ?? 0)
    for (const value of reader.bytes(lengths[change] ?? 0)) {
      if (row >= copies.length) throw invalid('changes more bytes than it copies')
      into[at] = ((into[at] ?? 0) + value) & 0xff
      advance(1)
    }
  }
}

const invalid = (what: string): UpdateError => new UpdateError('BUNDLE_INVALID', `the patch ${what}`)
