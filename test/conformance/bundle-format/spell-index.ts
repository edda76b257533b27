// An index spelled column by column, without any check, so that tests can spell wrong ones.
import { sha256 } from './chunking.ts'
import { leb128 } from './columns.ts'
import { compress } from './zstd.ts'

export interface Spelling {
  readonly version: number
  /** Other tables, another length of them, or more bytes than the columns give. */
  readonly tables: (tables: Buffer) => Buffer
  readonly tablesLength: (length: number) => number
  readonly packTables: (tables: Buffer) => Buffer
  readonly digests: (digests: readonly string[]) => readonly string[]
  readonly digestCount: (count: number) => number
  readonly frames: readonly {
    readonly packed: number
    readonly length: number
    readonly base: number
    readonly chunks: number
  }[]
  readonly frameCount: (count: number) => number
  readonly chunks: readonly { readonly skip: number; readonly length: number }[]
  readonly chunkCount: (count: number) => number
  readonly entryCount: (count: number) => number
  readonly kinds: readonly number[]
  readonly paths: readonly { readonly shared: number; readonly rest: string | Buffer }[]
  /** Of each file, its runs: `first` as it is written. */
  readonly runs: readonly (readonly { readonly first: number; readonly length: number }[])[]
  readonly targets: readonly (string | Buffer)[]
}

const same = <T>(value: T): T => value

/** Two frames, the first based on the second; four chunks; a file of three chunks, one of one, a directory, a link. */
export const RIGHT: Spelling = {
  version: 1,
  tables: same,
  tablesLength: same,
  packTables: (tables) => compress(tables, { level: 9, windowLogMax: 23 }),
  digests: same,
  digestCount: same,
  frames: [
    { packed: 20, length: 50, base: 2, chunks: 2 },
    { packed: 30, length: 40, base: 0, chunks: 2 },
  ],
  frameCount: same,
  chunks: [
    { skip: 0, length: 20 },
    { skip: 5, length: 25 },
    { skip: 1, length: 10 },
    { skip: 0, length: 29 },
  ],
  chunkCount: same,
  entryCount: same,
  kinds: [0, 2, 1, 3],
  paths: [
    { shared: 0, rest: 'alpha' },
    { shared: 0, rest: 'bin' },
    { shared: 3, rest: '/run' },
    { shared: 4, rest: 'stop' },
  ],
  runs: [
    [
      { first: 4, length: 2 },
      { first: 7, length: 1 },
    ],
    [{ first: 0, length: 1 }],
  ],
  targets: ['../alpha'],
}

export const spell = (wrong: Partial<Spelling>): Buffer => {
  const it = { ...RIGHT, ...wrong }
  const rests = it.paths.map(({ rest }) => Buffer.from(rest))
  const targets = it.targets.map((target) => Buffer.from(target))
  const runs = it.runs.flat()
  const tables = it.tables(
    Buffer.concat([
      leb128([it.frameCount(it.frames.length), it.chunkCount(it.chunks.length)]),
      leb128(it.frames.map(({ packed }) => packed)),
      leb128(it.frames.map(({ length }) => length)),
      leb128(it.frames.map(({ base }) => base)),
      leb128(it.frames.map(({ chunks }) => chunks)),
      leb128(it.chunks.map(({ skip }) => skip)),
      leb128(it.chunks.map(({ length }) => length)),
      leb128([it.entryCount(it.kinds.length), ...it.kinds]),
      leb128(it.paths.map(({ shared }) => shared)),
      leb128(rests.map((rest) => rest.length)),
      ...rests,
      leb128(it.runs.map((ofFile) => ofFile.length)),
      leb128(runs.map(({ first }) => first)),
      leb128(runs.map(({ length }) => length)),
      leb128(targets.map((target) => target.length)),
      ...targets,
    ]),
  )
  const chunksOf = (ofFile: Spelling['runs'][number]): number => ofFile.reduce((sum, { length }) => sum + length, 0)
  const longFiles = it.runs.filter((ofFile) => chunksOf(ofFile) >= 2).length
  const count = it.frames.length + it.chunks.length + longFiles
  const digests = it.digests(Array.from({ length: count }, (_, number) => sha256(`digest ${number}`)))
  const header = Buffer.alloc(16)
  header.write('updraft', 'latin1')
  header.writeUInt8(it.version, 7)
  header.writeUInt32LE(it.digestCount(digests.length), 8)
  header.writeUInt32LE(it.tablesLength(tables.length), 12)
  return Buffer.concat([header, Buffer.from(digests.join(''), 'hex'), it.packTables(tables)])
}
