// Turns an index around: for each frame of the pack, which stretches of its content go where. Pure.
import { type BundleFile, type BundleIndex, frameOf, framesOfChunks, sha256OfFile } from './bundle-index.ts'
import { copyDigests, DIGEST_BYTES } from './digest-table.ts'
import { joinPaths } from './threads/path-list.ts'
import { type FrameWork, ONE_CHUNK, PART, SEVERAL_CHUNKS } from './threads/unpack-frames.ts'

export interface Placements {
  /** What a worker has to know to unpack this frame. */
  workOf(frame: number): FrameWork
  /** Files that no single stretch makes up, the empty ones among them: to be created before frames are unpacked. */
  readonly scattered: readonly BundleFile[]
}

/** Columns over all stretches, those of one frame together. */
interface Stretches {
  /** Row of `index.files`. */
  readonly entries: Uint32Array
  readonly offsets: Float64Array
  readonly starts: Uint32Array
  readonly lengths: Uint32Array
  readonly extents: Uint8Array
  /** For each frame the first row, and, as one more row, the number of rows. */
  readonly firstRows: Uint32Array
}

export const placeFrames = (index: BundleIndex): Placements => {
  const frameOfChunk = framesOfChunks(index)
  const counts = new Uint32Array(index.frames.count + 1)
  visitStretches(index, frameOfChunk, ({ frame }) => {
    counts[frame + 1] = (counts[frame + 1] ?? 0) + 1
  })
  for (let frame = 0; frame < index.frames.count; frame += 1)
    counts[frame + 1] = (counts[frame + 1] ?? 0) + (counts[frame] ?? 0)

  const total = counts.at(-1) ?? 0
  const stretches: Stretches = {
    entries: new Uint32Array(total),
    offsets: new Float64Array(total),
    starts: new Uint32Array(total),
    lengths: new Uint32Array(total),
    extents: new Uint8Array(total),
    firstRows: counts,
  }
  const next = counts.slice()
  const isScattered = new Uint8Array(index.files.length).fill(1)
  visitStretches(index, frameOfChunk, ({ frame, entry, offset, start, length, extent }) => {
    const row = next[frame] ?? 0
    next[frame] = row + 1
    stretches.entries[row] = entry
    stretches.offsets[row] = offset
    stretches.starts[row] = start
    stretches.lengths[row] = length
    stretches.extents[row] = extent
    if (extent !== PART) isScattered[entry] = 0
  })
  return {
    workOf: (frame) => workOf(index, stretches, frame),
    scattered: index.files.flatMap((file, entry) => (file.kind === 'file' && isScattered[entry] === 1 ? [file] : [])),
  }
}

interface Stretch {
  readonly frame: number
  readonly entry: number
  readonly offset: number
  readonly start: number
  readonly length: number
  readonly extent: number
}

/** Calls `visit` for every stretch, file by file: chunks that follow one another in file and frame are one stretch. */
const visitStretches = (index: BundleIndex, frameOfChunk: Uint32Array, visit: (stretch: Stretch) => void): void => {
  const { files, references, chunks } = index
  for (const [entry, file] of files.entries()) {
    if (file.kind !== 'file') continue
    const end = file.firstReference + file.referenceCount
    let offset = 0
    for (let at = file.firstReference; at < end; ) {
      const first = references[at] ?? 0
      const frame = frameOfChunk[first] ?? 0
      const start = chunks.starts[first] ?? 0
      let length = 0
      let chunk = first
      while (
        at < end &&
        references[at] === chunk &&
        frameOfChunk[chunk] === frame &&
        chunks.starts[chunk] === start + length
      ) {
        length += chunks.lengths[chunk] ?? 0
        chunk += 1
        at += 1
      }
      const wholeExtent = file.referenceCount === 1 ? ONE_CHUNK : SEVERAL_CHUNKS
      visit({ frame, entry, offset, start, length, extent: length === file.lengthBytes ? wholeExtent : PART })
      offset += length
    }
  }
}

const workOf = (index: BundleIndex, stretches: Stretches, number: number): FrameWork => {
  const { chunks, files } = index
  const frame = frameOf(index, number)
  const from = stretches.firstRows[number] ?? 0
  const to = stretches.firstRows[number + 1] ?? 0
  const paths: string[] = []
  const digests = new Uint8Array((to - from) * DIGEST_BYTES)
  let entryBefore = -1
  const fileRows = Uint32Array.from(stretches.entries.subarray(from, to), (entry, row) => {
    const file = files[entry]
    if (entry !== entryBefore) paths.push(file?.path ?? '')
    entryBefore = entry
    if (stretches.extents[from + row] === SEVERAL_CHUNKS && file?.kind === 'file') {
      digests.set(sha256OfFile(index, file), row * DIGEST_BYTES)
    }
    return paths.length - 1
  })
  const { firstChunk, endChunk } = frame
  return {
    frame,
    chunkStarts: chunks.starts.slice(firstChunk, endChunk),
    chunkLengths: chunks.lengths.slice(firstChunk, endChunk),
    chunkDigests: copyDigests(chunks.digests, firstChunk, endChunk),
    placements: {
      paths: joinPaths(paths),
      files: fileRows,
      offsets: stretches.offsets.slice(from, to),
      starts: stretches.starts.slice(from, to),
      lengths: stretches.lengths.slice(from, to),
      extents: stretches.extents.slice(from, to),
      digests,
    },
  }
}
