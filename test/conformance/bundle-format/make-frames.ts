// Chunks put into frames: how many go into one, and what is made of them. Frames are made anew here; carried ones are only
// described.
import { sampleBitsOf, sha256, sumsOf } from './chunking.ts'
import { FRAME_BYTES, type Frame, MIB } from './model.ts'
import type { BuildChunk } from './read-build.ts'
import { compressFrame } from './zstd.ts'

/** A frame of the pack that is being made. */
export interface PlacedFrame {
  readonly digest: string
  readonly packed: Buffer
  readonly lengthBytes: number
  readonly content: Buffer
  readonly base: PlacedFrame | undefined
  readonly chunks: readonly PlacedChunk[]
}

export interface PlacedChunk {
  readonly digest: string
  readonly lengthBytes: number
  readonly offset: number
}

/** In order, each frame as long as can be. */
export const fillFrames = (chunks: readonly BuildChunk[]): BuildChunk[][] => {
  const frames: BuildChunk[][] = []
  let frame: BuildChunk[] = []
  let lengthBytes = 0
  for (const chunk of chunks) {
    if (frame.length === 0 || lengthBytes + chunk.bytes.length > FRAME_BYTES) {
      frame = []
      lengthBytes = 0
      frames.push(frame)
    }
    frame.push(chunk)
    lengthBytes += chunk.bytes.length
  }
  return frames
}

/** With the base, unless that one cannot be any. */
export const makeFrame = (chunks: readonly BuildChunk[], base?: PlacedFrame): PlacedFrame => {
  const content = Buffer.concat(chunks.map(({ bytes }) => bytes))
  return base === undefined || !canBeBase(base.content)
    ? placed(chunks, content, compressFrame(content))
    : placed(chunks, content, compressFrame(content, base.content), base)
}

/** In the family of `keyFrame`, which the previous release has: without the base where that saves little. */
export const makeFamilyFrame = (chunks: readonly BuildChunk[], base: PlacedFrame, keyFrame: Frame): PlacedFrame => {
  const frame = makeFrame(chunks, base)
  const savesLittle =
    frame.base !== undefined &&
    frame.lengthBytes >= MIB &&
    2n * BigInt(frame.packed.length) * BigInt(keyFrame.lengthBytes) >
      BigInt(frame.lengthBytes) * BigInt(keyFrame.packedBytes)
  return savesLittle ? makeFrame(chunks) : frame
}

const placed = (chunks: readonly BuildChunk[], content: Buffer, packed: Buffer, base?: PlacedFrame): PlacedFrame => {
  let offset = 0
  const placedChunks = chunks.map(({ digest, bytes }) => {
    offset += bytes.length
    return { digest, lengthBytes: bytes.length, offset: offset - bytes.length }
  })
  return { digest: sha256(packed), packed, lengthBytes: content.length, content, base, chunks: placedChunks }
}

/** zstd would take it for a dictionary in a format of its own. */
const canBeBase = (content: Buffer): boolean => content.toString('hex', 0, 4) !== '37a430ec'

/** "Without a previous release": frames in order, with bases that their samples choose. */
export const packWithoutPrevious = (chunks: readonly BuildChunk[], buildBytes: number): PlacedFrame[] => {
  const groups = fillFrames(chunks)
  if (groups.length === 1) return groups.map((group) => makeFrame(group)) // Nothing to compare: no sample is needed.

  const frames: PlacedFrame[] = []
  const keyFrames: { readonly frame: PlacedFrame; readonly sample: ReadonlySet<number> }[] = []
  for (const group of groups) {
    const sample = new Set(group.flatMap(({ bytes }) => sumsOf(bytes, sampleBitsOf(buildBytes))))
    let most = 0
    let base: PlacedFrame | undefined
    for (const candidate of keyFrames) {
      const common = sample.intersection(candidate.sample).size
      if (common > most) {
        most = common
        base = candidate.frame
      }
    }
    if (4 * most < sample.size) base = undefined
    const frame = makeFrame(group, base)
    if (base === undefined) keyFrames.push({ frame, sample })
    frames.push(frame)
  }
  return frames
}
