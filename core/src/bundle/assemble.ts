// Puts the index of a new bundle together: which frames its pack has, in their order, and where each file's chunks are.
import type { BundleEntry, BundleIndex } from './bundle-index.ts'
import type { ChunkedTree } from './chunked-tree.ts'
import { gatherDigests } from './digest-table.ts'
import type { NewFrame } from './settle.ts'

/** A frame of the previous release with those of its chunks that the build still has. */
export interface CarriedFrame {
  /** Its number in the previous release. */
  readonly number: number
  readonly packedLength: number
  readonly lengthBytes: number
  readonly sha256: Uint8Array
  /** Number of its base in the previous release, or -1. */
  readonly base: number
  /** Chunks of the build, in the order of the content. */
  readonly chunks: readonly number[]
  /** Where in the content each of them begins. */
  readonly starts: readonly number[]
}

/** The order of the frames is that of the pack: `created` first. */
export const assembleIndex = (
  tree: ChunkedTree,
  created: readonly NewFrame[],
  carried: readonly CarriedFrame[],
): BundleIndex => {
  const frames = [...created, ...carried]
  const numbers = new Map<number | NewFrame, number>()
  for (const [number, frame] of created.entries()) numbers.set(frame, number)
  for (const [number, frame] of carried.entries()) numbers.set(frame.number, created.length + number)

  const order = frames.flatMap(({ chunks }) => chunks)
  const newNumbers = new Uint32Array(tree.chunks.count)
  for (const [number, chunk] of order.entries()) newNumbers[chunk] = number
  const references = tree.references.map((chunk) => newNumbers[chunk] ?? 0)
  return {
    frames: {
      count: frames.length,
      offsets: Float64Array.from(sums(frames, ({ packedLength }) => packedLength)),
      packedLengths: Uint32Array.from(frames, ({ packedLength }) => packedLength),
      lengths: Uint32Array.from(frames, ({ lengthBytes }) => lengthBytes),
      bases: Int32Array.from(frames, ({ base }) => numbers.get(base ?? -1) ?? -1),
      firstChunks: Uint32Array.from(sums(frames, ({ chunks }) => chunks.length)),
      digests: Buffer.concat(frames.map(({ sha256 }) => sha256)),
    },
    chunks: {
      count: order.length,
      starts: Uint32Array.from(frames.flatMap((frame) => startsOf(tree, frame))),
      lengths: Uint32Array.from(order, (chunk) => tree.chunks.lengths[chunk] ?? 0),
      digests: gatherDigests(tree.chunks.digests, order),
    },
    references,
    ...entriesOf(tree),
  }
}

const startsOf = (tree: ChunkedTree, frame: NewFrame | CarriedFrame): readonly number[] =>
  'starts' in frame ? frame.starts : sums(frame.chunks, (chunk) => tree.chunks.lengths[chunk] ?? 0).slice(0, -1)

const entriesOf = ({ tree, firstReferences, fileDigests }: ChunkedTree) => {
  const several: number[] = []
  let number = 0
  const files = tree.entries.map((entry): BundleEntry => {
    if (entry.kind !== 'file') return entry
    const { path, executable, lengthBytes } = entry
    const firstReference = firstReferences[number] ?? 0
    const referenceCount = (firstReferences[number + 1] ?? 0) - firstReference
    const digestRow = referenceCount > 1 ? several.push(number) - 1 : -1
    number += 1
    return { kind: 'file', path, executable, lengthBytes, firstReference, referenceCount, digestRow }
  })
  return { files, fileDigests: gatherDigests(fileDigests, several) }
}

/** Running sums from 0, one more than there are items. */
const sums = <Item>(items: readonly Item[], lengthOf: (item: Item) => number): number[] => {
  const results = [0]
  for (const item of items) results.push((results.at(-1) ?? 0) + lengthOf(item))
  return results
}
