// What became of a release, frame by frame, in words that a test can compare.
import { readIndex } from './bundle-format/read-index.ts'

/** A line for each frame: where it comes from, what of the build it holds, and the number of its base. */
export const frameStories = (indexBytes: Buffer, before?: Buffer): string[] => {
  const index = readIndex(indexBytes)
  const old = before && readIndex(before)
  const oldFrames = new Set(old?.frames.map(({ digest }) => digest))
  const oldChunks = new Set(old?.chunks.map(({ digest }) => digest))
  return index.frames.map(({ digest, base, firstChunk, chunkCount }) => {
    const chunks = index.chunks.slice(firstChunk, firstChunk + chunkCount)
    const oldCount = chunks.filter((chunk) => oldChunks.has(chunk.digest)).length
    const mixed = oldCount === 0 ? 'new' : oldCount < chunkCount ? 'both' : 'old'
    const from = oldFrames.has(digest) ? 'carried with' : 'made of'
    return `${from} ${chunkCount === 0 ? 'nothing' : mixed}${base === undefined ? '' : ` on ${base}`}`
  })
}
