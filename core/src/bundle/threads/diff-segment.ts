// Job of whoever makes a patch: one segment as its difference from a window of the source. It reads both from the packs itself,
// so that a thread holds its own window and segment and nothing else, however large the releases are.
import { unpackFrame } from '../frame.ts'
import { forget, scratch } from '../memory.ts'
import { findOperations, indexSource, type Operations, similarityOf } from '../patch/matching.ts'
import { decodeSegment, encodeSegment } from '../patch/segment.ts'
import {
  chooseDictionary,
  contentLengthMaxOf,
  isIncompressible,
  LEVEL_QUICK,
  type PackedSegment,
  packSegment,
} from '../patch/segment-frame.ts'
import { cutAtEnds, placeAt, positionAt, type Stretches } from '../patch/stretches.ts'
import type { Report } from './jobs.ts'
import { type LoadStretches, loadStretches } from './load-stretches.ts'

export interface DiffSegmentJob {
  readonly window: Loaded
  /** Where in the source the window is from. */
  readonly stretches: Stretches
  readonly segment: Loaded
  /** zstd's level for content that the window has nothing like. */
  readonly freshLevel: number
}

/** Stretches of a release that are loaded from its pack, end to end. */
export interface Loaded {
  readonly lengthBytes: number
  readonly packPath: string
  /** Of each the first one is the base of all others. */
  readonly families: readonly LoadStretches['frames'][]
}

interface Pair {
  readonly source: Buffer
  readonly stretches: Stretches
  readonly target: Buffer
}

/**
 * The smallest of what it tries: copies with their differences, and literals with a stretch of the window as their dictionary.
 *
 * Errors: BUNDLE_INVALID, PERMISSION, IO; TypeError if it does not lead back to the segment, so that no such patch is ever signed.
 */
export const diffSegment = (job: DiffSegmentJob, report: Report): PackedSegment => {
  const pair = { source: load(job.window, 'source'), stretches: job.stretches, target: load(job.segment, 'target') }
  forget('packed')
  const packed = isLike(pair) ? differenceOf(pair, job.freshLevel) : packUnlike(pair.target, job.freshLevel)
  assertLeadsTo(pair, packed)
  report(pair.target.length)
  return packed
}

const load = ({ lengthBytes, packPath, families }: Loaded, purpose: 'source' | 'target'): Buffer => {
  const into = scratch(purpose, lengthBytes)
  for (const frames of families) loadStretches({ packPath, into, frames })
  return into
}

/** Less than this is compared whatever it is. */
const PROBED_BYTES_MIN = 1024 * 1024
const PROBE_STEP = 16
const LIKE_MIN = 0.02

/** Asked first, because to look for copies where there are none takes ten times as long. */
const isLike = ({ source, target }: Pair): boolean =>
  target.length < PROBED_BYTES_MIN || similarityOf(indexSource(source, PROBE_STEP), target) >= LIKE_MIN

/** With every fourth place patches have one percent more bytes than with each, and take a quarter of the memory. */
const STEP = 4

const differenceOf = ({ source, stretches, target }: Pair, freshLevel: number): PackedSegment => {
  const operations = cutAtEnds(findOperations(indexSource(source, STEP), target), stretches)
  forgetIndex()
  const content = encodeSegment(operations, source, target, (place) => positionAt(stretches, place))
  if (content.length > contentLengthMaxOf(target.length)) return packFresh(literalsOf(target), freshLevel)
  // What is mostly copied is short, and the best that zstd can do takes no time.
  const difference = content.length * 2 <= target.length ? packSegment(content) : packFresh(content, freshLevel)
  return (
    (target.length <= DICTIONARY_SEGMENT_MAX &&
      withDictionary(operations, { source, stretches, target }, difference)) ||
    difference
  )
}

/** In larger segments differences were always shorter. */
const DICTIONARY_SEGMENT_MAX = 1024 * 1024
/** Of a program the answer is no, and the thorough try takes longer than everything else. */
const QUICK_IS_LARGER_BY = 1.5

const withDictionary = (operations: Operations, pair: Pair, { packed }: PackedSegment): PackedSegment | undefined => {
  const literals = literalsOf(pair.target)
  const dictionary = chooseDictionary(operations, pair)
  if (packSegment(literals, dictionary, LEVEL_QUICK).packed.length >= QUICK_IS_LARGER_BY * packed.length)
    return undefined
  const plain = packSegment(literals, dictionary)
  return plain.packed.length < packed.length ? plain : undefined
}

const literalsOf = (target: Buffer): Buffer =>
  encodeSegment({ moves: [0], copies: [0], literals: [target.length] }, Buffer.alloc(0), target)

/** Nothing is copied, so the window makes room for what zstd needs. */
const packUnlike = (target: Buffer, level: number): PackedSegment => {
  forgetIndex()
  forget('source')
  return packFresh(literalsOf(target), level)
}

const forgetIndex = (): void => {
  forget('places')
  forget('heads')
}

const packFresh = (content: Buffer, level: number): PackedSegment =>
  packSegment(content, undefined, isIncompressible(content) ? LEVEL_QUICK : level)

const assertLeadsTo = ({ source, stretches, target }: Pair, segment: PackedSegment): void => {
  const { packed, contentLength, dictionaryPosition, dictionaryLength } = segment
  const read = (position: number, lengthBytes: number): Uint8Array => {
    const place = placeAt(stretches, position)
    return source.subarray(place, place + lengthBytes)
  }
  const dictionary = dictionaryLength === 0 ? undefined : read(dictionaryPosition, dictionaryLength)
  const made = scratch('content', target.length)
  decodeSegment(
    unpackFrame(packed, contentLength, dictionary),
    stretches.sourceLength,
    (position, into) => into.set(read(position, into.length)),
    made,
  )
  if (!made.equals(target)) throw new TypeError('a segment of the patch leads to other bytes')
}
