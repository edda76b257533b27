// "Making a bundle": from a build folder, and the bundle before it if there is one, to the bytes of index and pack.
import { groupIntoFamilies } from './families.ts'
import { type PlacedFrame, packWithoutPrevious } from './make-frames.ts'
import type { Bundle } from './model.ts'
import { openPrevious } from './previous.ts'
import { type Build, readBuild } from './read-build.ts'
import { type Settlement, settle } from './settle.ts'
import { writeIndex } from './write-index.ts'

export interface MadeBundle extends Bundle {
  /** How each family with a chunk was packed, in the order of the key frames. */
  readonly ways: readonly Settlement['way'][]
}

export const makeBundle = (root: string, before?: Bundle): MadeBundle => {
  const build = readBuild(root)
  if (before === undefined) return bundleOf(build, packWithoutPrevious(build.chunks, build.lengthBytes))

  const previous = openPrevious(before)
  const { families, rest } = groupIntoFamilies(build.chunks, previous)
  const settled = families.map((family) => settle(family, previous))
  const left = new Set([...rest, ...settled.flatMap((settlement) => settlement.left)])
  const remaining = build.chunks.filter((chunk) => left.has(chunk))
  const others = packWithoutPrevious(remaining, build.lengthBytes)

  const made = [...settled.flatMap((settlement) => settlement.made), ...others]
  const isInFront = (frame: PlacedFrame): boolean => frame.chunks.some(({ digest }) => !previous.chunks.has(digest))
  const carried = settled.flatMap((settlement) => settlement.carried).sort((a, b) => a.number - b.number)
  const frames = [
    ...made.filter(isInFront),
    ...made.filter((frame) => !isInFront(frame)),
    ...carried.map(({ frame }) => frame),
  ]
  return bundleOf(
    build,
    frames,
    settled.map(({ way }) => way),
  )
}

const bundleOf = (
  build: Build,
  frames: readonly PlacedFrame[],
  ways: readonly Settlement['way'][] = [],
): MadeBundle => ({
  index: writeIndex(build, frames),
  pack: Buffer.concat(frames.map(({ packed }) => packed)),
  ways,
})
