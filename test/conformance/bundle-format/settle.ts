// "Making a bundle", step 3: a family is kept, refreshed or dissolved, whichever first stays within its budget.
import { bytesOf, type Family } from './families.ts'
import { fillFrames, makeFamilyFrame, makeFrame, type PlacedFrame } from './make-frames.ts'
import { at, type Frame, sumOf } from './model.ts'
import type { Previous } from './previous.ts'
import type { BuildChunk } from './read-build.ts'

export interface Settlement {
  readonly way: 'keep' | 'refresh' | 'dissolve'
  readonly carried: readonly { readonly number: number; readonly frame: PlacedFrame }[]
  readonly made: readonly PlacedFrame[]
  /** Chunks that are in none of these frames. */
  readonly left: readonly BuildChunk[]
}

export const settle = (family: Family, previous: Previous): Settlement =>
  keep(family, previous) ?? refresh(family, previous) ?? { way: 'dissolve', carried: [], made: [], left: family.chunks }

const isWithinBudget = ({ keyFrame, chunks }: Family, frames: readonly PlacedFrame[]): boolean => {
  const packedBytes = BigInt(sumOf(frames.map(({ packed }) => packed.length)))
  return (
    (packedBytes - 4096n) * 4n * BigInt(keyFrame.lengthBytes) <=
    5n * BigInt(bytesOf(chunks)) * BigInt(keyFrame.packedBytes)
  )
}

const keep = (family: Family, previous: Previous): Settlement | undefined => {
  const wanted = new Set(family.chunks.map(({ digest }) => digest))
  const keyFrame = placeOldFrame(family.keyFrame, previous, wanted)
  const ofKeyBytes = sumOf(keyFrame.chunks.map(({ lengthBytes }) => lengthBytes))
  if (2 * keyFrame.lengthBytes < ofKeyBytes + bytesOf(family.fresh)) return undefined

  const based = family.basedFrames.map((frame) => placeOldFrame(frame, previous, wanted, keyFrame))
  const made = fillFrames(family.fresh).map((group) => makeFamilyFrame(group, keyFrame, family.keyFrame))
  const isDropped = keyFrame.chunks.length === 0 && ![...based, ...made].some(({ base }) => base === keyFrame)
  const carried = isDropped ? based : [keyFrame, ...based]
  if (!isWithinBudget(family, [...carried, ...made])) return undefined
  const numbers = (isDropped ? family.basedFrames : [family.keyFrame, ...family.basedFrames]).map((frame) =>
    previous.index.frames.indexOf(frame),
  )
  return { way: 'keep', carried: carried.map((frame, i) => ({ number: at(numbers, i), frame })), made, left: [] }
}

const placeOldFrame = (
  frame: Frame,
  previous: Previous,
  wanted: ReadonlySet<string>,
  base?: PlacedFrame,
): PlacedFrame => ({
  digest: frame.digest,
  packed: previous.packedOf(frame),
  lengthBytes: frame.lengthBytes,
  content: previous.contentOf(frame),
  base,
  chunks: previous.index.chunks
    .slice(frame.firstChunk, frame.firstChunk + frame.chunkCount)
    .filter(({ digest }) => wanted.has(digest)),
})

const refresh = (family: Family, previous: Previous): Settlement | undefined => {
  const isOld = ({ digest }: BuildChunk): boolean => previous.chunks.has(digest)
  const old = family.chunks.filter(isOld)
  if (2 * bytesOf(old) < bytesOf(family.chunks)) return undefined

  const keyFrames = fillFrames(old).map((group) => makeFrame(group))
  const keyFrameOf = new Map(keyFrames.flatMap((frame) => frame.chunks.map(({ digest }) => [digest, frame] as const)))
  const groups = new Map<PlacedFrame, BuildChunk[]>(keyFrames.map((frame) => [frame, []]))
  let next = at(keyFrames, keyFrames.length - 1)
  for (const chunk of family.chunks.toReversed()) {
    if (isOld(chunk)) next = keyFrameOf.get(chunk.digest) ?? next
    else groups.get(next)?.unshift(chunk)
  }
  const based = [...groups].flatMap(([keyFrame, group]) =>
    fillFrames(group).map((some) => makeFamilyFrame(some, keyFrame, family.keyFrame)),
  )
  const made = [...keyFrames, ...based]
  return isWithinBudget(family, made) ? { way: 'refresh', carried: [], made, left: [] } : undefined
}
