// "Making a bundle", steps 1 and 2: which frames may be carried, and which chunks make up a family. Packs nothing.
import { at, type Chunk, type Frame, MIB, sumOf } from './model.ts'
import type { Previous } from './previous.ts'
import type { BuildChunk } from './read-build.ts'

export interface Family {
  readonly keyFrame: Frame
  /** Those with a base that may be carried. */
  readonly basedFrames: readonly Frame[]
  /** In the order of the build. */
  readonly chunks: readonly BuildChunk[]
  /** Those of `chunks` that no frame of the family has. */
  readonly fresh: readonly BuildChunk[]
}

export interface Grouping {
  readonly families: readonly Family[]
  /** Chunks without a family. */
  readonly rest: readonly BuildChunk[]
}

export const bytesOf = (chunks: readonly BuildChunk[]): number => sumOf(chunks.map(({ bytes }) => bytes.length))

export const groupIntoFamilies = (chunks: readonly BuildChunk[], previous: Previous): Grouping => {
  const frames = previous.index.frames
  const wanted = new Set(chunks.map(({ digest }) => digest))
  const mayBeCarried = new Set(frames.filter((frame) => frame.base === undefined || isWorthCarrying(frame)))

  function isWorthCarrying(frame: Frame): boolean {
    const own = previous.index.chunks.slice(frame.firstChunk, frame.firstChunk + frame.chunkCount)
    const keptBytes = sumOf(own.filter(({ digest }) => wanted.has(digest)).map(({ lengthBytes }) => lengthBytes))
    return 3 * keptBytes >= 2 * frame.lengthBytes
  }
  const keyFrameOf = ({ frame: number }: Chunk): Frame => {
    const frame = at(frames, number)
    return frame.base === undefined ? frame : at(frames, frame.base)
  }
  const isCarried = ({ digest }: BuildChunk): boolean => {
    const old = previous.chunks.get(digest)
    return old !== undefined && mayBeCarried.has(at(frames, old.frame))
  }

  const families = chunks.map((chunk) => {
    const before = previous.chunks.get(chunk.digest) ?? previous.chunkAt(chunk.path, chunk.offset)
    return before === undefined ? undefined : keyFrameOf(before)
  })
  giveRunsAFamily(chunks, families)

  const rest = new Set<BuildChunk>()
  chunks.forEach((chunk, number) => {
    if (families[number] === undefined) rest.add(chunk)
  })
  const grouped = frames
    .filter(({ base }) => base === undefined)
    .map((keyFrame): Family => {
      const all = chunks.filter((_, number) => families[number] === keyFrame)
      const fresh = all.filter((chunk) => !isCarried(chunk))
      const isTooMuch = bytesOf(fresh) > 32 * MIB
      if (isTooMuch) for (const chunk of fresh) rest.add(chunk)
      return {
        keyFrame,
        basedFrames: frames.filter((frame) => mayBeCarried.has(frame) && frame.base === frames.indexOf(keyFrame)),
        chunks: isTooMuch ? all.filter(isCarried) : all,
        fresh: isTooMuch ? [] : fresh,
      }
    })
  return {
    families: grouped.filter((family) => family.chunks.length > 0),
    rest: chunks.filter((chunk) => rest.has(chunk)),
  }
}

/** Short runs of chunks without a family take that of the chunk before, or else of the one after. */
const giveRunsAFamily = (chunks: readonly BuildChunk[], families: (Frame | undefined)[]): void => {
  for (let start = 0; start < chunks.length; ) {
    let end = start
    while (end < chunks.length && families[end] === undefined) end += 1
    const isShort = bytesOf(chunks.slice(start, end)) < MIB
    if (isShort) families.fill(families[start - 1] ?? families[end], start, end)
    start = end + 1
  }
}
