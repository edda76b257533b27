// Jobs of whoever makes a patch: the index of the source, and one segment as its difference from the source.
import { unpackFrame } from '../frame.ts'
import { fillSourceIndex, findOperations, type SourceIndex } from '../patch/matching.ts'
import { decodeSegment, encodeSegment } from '../patch/segment.ts'
import {
  chooseDictionary,
  contentLengthMaxOf,
  type Dictionary,
  type PackedSegment,
  packSegment,
} from '../patch/segment-frame.ts'
import type { Report } from './jobs.ts'

export interface DiffSegmentJob {
  readonly index: SourceIndex
  readonly target: Uint8Array
}

export const indexSource = ({ index }: { readonly index: SourceIndex }): void => fillSourceIndex(index)

/**
 * The smaller of a difference, and of literals that have the most similar stretch of the source as their dictionary.
 *
 * Errors: TypeError if it does not lead back to the target, so that no such patch is ever signed.
 */
export const diffSegment = ({ index, target }: DiffSegmentJob, report: Report): PackedSegment => {
  const segment = smallestOf(index, target)
  assertLeadsTo(target, segment, index.source)
  report(target.length)
  return segment
}

const smallestOf = (index: SourceIndex, target: Uint8Array): PackedSegment => {
  const { source } = index
  const operations = findOperations(index, target)
  const difference = packSegment(encodeSegment(operations, source, target))
  const literals = encodeSegment({ moves: [0], copies: [0], literals: [target.length] }, source, target)
  const dictionary = chooseDictionary(operations, source)
  if (difference.contentLength > contentLengthMaxOf(target.length)) return packSegment(literals, dictionary)
  if (!mayBeSmaller(literals, dictionary, difference)) return difference
  const plain = packSegment(literals, dictionary)
  return plain.packed.length < difference.packed.length ? plain : difference
}

const assertLeadsTo = (target: Uint8Array, segment: PackedSegment, source: Uint8Array): void => {
  const { packed, contentLength, dictionaryPosition, dictionaryLength } = segment
  const dictionary = source.subarray(dictionaryPosition, dictionaryPosition + dictionaryLength)
  const columns = unpackFrame(packed, contentLength, dictionaryLength === 0 ? undefined : dictionary)
  const made = Buffer.alloc(target.length)
  decodeSegment(
    columns,
    source.length,
    (position, into) => into.set(source.subarray(position, position + into.length)),
    made,
  )
  if (!made.equals(target)) throw new TypeError('a segment of the patch leads to other bytes')
}

/** Asked first, because of a program the answer is no, and the thorough try took two thirds of all the time. */
const mayBeSmaller = (content: Uint8Array, dictionary: Dictionary, { packed }: PackedSegment): boolean =>
  packSegment(content, dictionary, QUICK_LEVEL).packed.length < QUICK_IS_LARGER_BY * packed.length

const QUICK_LEVEL = 9
const QUICK_IS_LARGER_BY = 1.5
