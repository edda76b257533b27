// The samples of frames that are to be made: put together of those of their chunks if they were taken when the build was cut, or
// else by reading the content once more, which is little where a previous release has the rest.
import type { ChunkedTree, ChunkSamples } from './chunked-tree.ts'
import { inOrder } from './in-order.ts'
import { release } from './memory.ts'
import { slicesOf } from './settle.ts'
import { distinct } from './similar.ts'
import type { Workers } from './threads/workers.ts'

/** In the order of the frames, each a list of chunks. Those of the chunks are used up. Errors: BUILD_CHANGED, PERMISSION, IO, ABORTED. */
export const sampleFrames = async (
  tree: ChunkedTree,
  frames: readonly (readonly number[])[],
  workers: Workers,
): Promise<readonly Int32Array[]> => {
  const { samples: taken } = tree.chunks
  if (taken !== undefined) {
    const joined = frames.map((chunks) => joinSamples(taken, chunks))
    release(taken.numbers)
    return joined
  }
  const read = (chunks: readonly number[]) =>
    workers.run('sampleContent', { content: slicesOf(tree, chunks), sampledBits: tree.sampledBits })
  const samples: Int32Array[] = []
  for await (const { sample } of inOrder(frames, workers.count + 1, read)) samples.push(sample)
  return samples
}

const joinSamples = ({ starts, lengths, numbers }: ChunkSamples, chunks: readonly number[]): Int32Array => {
  const joined = new Int32Array(chunks.reduce((sum, chunk) => sum + (lengths[chunk] ?? 0), 0))
  let at = 0
  for (const chunk of chunks) {
    const start = starts[chunk] ?? 0
    const length = lengths[chunk] ?? 0
    joined.set(numbers.subarray(start, start + length), at)
    at += length
  }
  return distinct(joined)
}
