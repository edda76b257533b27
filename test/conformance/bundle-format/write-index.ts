// "Index" of docs/bundle-format.md, written: from the entries of a build and the frames of its pack to the bytes.
import { leb128, zigzag } from './columns.ts'
import type { PlacedFrame } from './make-frames.ts'
import { at } from './model.ts'
import type { Build } from './read-build.ts'
import { compress } from './zstd.ts'

export const writeIndex = (build: Build, frames: readonly PlacedFrame[]): Buffer => {
  const chunks = frames.flatMap((frame) => frame.chunks)
  const files = build.entries.filter((entry) => entry.kind === 'file')
  const digests = [
    ...frames.map(({ digest }) => digest),
    ...chunks.map(({ digest }) => digest),
    ...files.filter((file) => file.chunks.length >= 2).map(({ digest }) => digest),
  ]
  const tables = Buffer.concat([
    frameColumns(frames),
    entryColumns(build, new Map(chunks.map(({ digest }, n) => [digest, n]))),
  ])
  const header = Buffer.alloc(16)
  header.write('updraft\x01', 'latin1')
  header.writeUInt32LE(digests.length, 8)
  header.writeUInt32LE(tables.length, 12)
  return foldIndex(header, Buffer.from(digests.join(''), 'hex'), tables)
}

export const foldIndex = (header: Buffer, digests: Buffer, tables: Buffer): Buffer =>
  Buffer.concat([header, digests, compress(tables, { level: 9, windowLogMax: 23 })])

const frameColumns = (frames: readonly PlacedFrame[]): Buffer => {
  const chunks = frames.flatMap((frame) => frame.chunks)
  const skips = frames.flatMap((frame) =>
    frame.chunks.map(({ offset }, number) => {
      const before = frame.chunks[number - 1]
      return offset - (before === undefined ? 0 : before.offset + before.lengthBytes)
    }),
  )
  return leb128([
    frames.length,
    chunks.length,
    ...frames.map(({ packed }) => packed.length),
    ...frames.map(({ lengthBytes }) => lengthBytes),
    ...frames.map(({ base }) => (base === undefined ? 0 : 1 + frames.indexOf(base))),
    ...frames.map((frame) => frame.chunks.length),
    ...skips,
    ...chunks.map(({ lengthBytes }) => lengthBytes),
  ])
}

const KINDS = { file: 0, directory: 2, link: 3 }

const entryColumns = ({ entries }: Build, chunkNumbers: ReadonlyMap<string, number>): Buffer => {
  const paths = entries.map(({ path }) => Buffer.from(path))
  const shared = paths.map((path, number) => sharedBytes(paths[number - 1] ?? Buffer.alloc(0), path))
  const rests = paths.map((path, number) => path.subarray(at(shared, number)))
  const runs = entries
    .filter((entry) => entry.kind === 'file')
    .map(({ chunks }) => runsOf(chunks.map((digest) => chunkNumbers.get(digest) ?? -1)))
  const targets = entries.filter((entry) => entry.kind === 'link').map(({ target }) => Buffer.from(target))
  let end = 0
  const distances = runs.flat().map(({ first, length }) => {
    const distance = first - end
    end = first + length
    return zigzag(distance)
  })
  return Buffer.concat([
    leb128([
      entries.length,
      ...entries.map((entry) => KINDS[entry.kind] + (entry.kind === 'file' && entry.isExecutable ? 1 : 0)),
      ...shared,
      ...rests.map((rest) => rest.length),
    ]),
    ...rests,
    leb128([...runs.map((list) => list.length), ...distances, ...runs.flat().map(({ length }) => length)]),
    leb128(targets.map((target) => target.length)),
    ...targets,
  ])
}

const sharedBytes = (a: Buffer, b: Buffer): number => {
  let length = 0
  while (length < Math.min(a.length, b.length) && a[length] === b[length]) length += 1
  return length
}

interface Run {
  readonly first: number
  readonly length: number
}

const runsOf = (numbers: readonly number[]): Run[] => {
  const starts = numbers.flatMap((number, index) =>
    index > 0 && number === (numbers[index - 1] ?? 0) + 1 ? [] : [index],
  )
  return starts.map((start, index) => ({
    first: at(numbers, start),
    length: (starts[index + 1] ?? numbers.length) - start,
  }))
}
